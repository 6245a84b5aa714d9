"""The allowed sign patterns: bit t of a codeword is sign t of its sub-vector, 1 is +1."""

from __future__ import annotations

import numpy as np

from btc_llm.owner import Owner
from btc_llm.packed_config import PackedFormat
from btc_llm.streams import StreamError, decode_fields

MODEL_PREFIX = "model.btc"
# Columns of the parity-check matrix of codec linear_20_16 for the 16 signs that are free.
_LINEAR_CODE_COLUMNS = (3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 1, 2, 4, 8, 15)


def block_prefix(block: int) -> str:
    """Owner of what a block shares."""
    return f"model.layers.{block}.btc"


def read_codebooks(owner: Owner, packed: PackedFormat, several: bool) -> list[np.ndarray]:
    """u32 [codewords] of each codebook that `PREFIX.codebook` holds one behind the other."""
    v = packed.vector_length
    if several:
        sizes = owner.list("codebook_size", "I64")
    else:
        sizes = owner.file.values(owner.tensor("codebook_size", "I64", (1,)))
    for k, size in enumerate(sizes):
        if not 1 <= size <= packed.codebook_size:
            owner.fail("codebook_size", 8 * k,
                       f"{size} codewords, expected 1..{packed.codebook_size}")
    lengths = [-(-int(size) * v // 8) for size in sizes]
    raw = owner.raw("codebook", (sum(lengths),))
    codebooks = []
    begin = 0
    for size, length in zip(sizes, lengths):
        try:
            row = raw[begin:begin + length].reshape(1, length)
            codebooks.append(decode_fields(row, int(size), v)[0])
        except StreamError:
            owner.fail("codebook", begin + length - 1, "pad bits are set, expected 0")
        begin += length
    return codebooks


def linear_code() -> np.ndarray:
    """u32 [2^16]: codeword i of the [20, 16] code has the bits of i as its first 16 signs."""
    words = np.arange(1 << len(_LINEAR_CODE_COLUMNS), dtype=np.uint32)
    parity = np.zeros_like(words)
    for b, column in enumerate(_LINEAR_CODE_COLUMNS):
        parity ^= (words >> np.uint32(b) & np.uint32(1)) * np.uint32(column)
    return words | parity << np.uint32(len(_LINEAR_CODE_COLUMNS))
