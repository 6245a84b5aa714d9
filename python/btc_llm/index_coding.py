"""Codeword indices from bytes: fields of equal width, or five digits in a few bytes."""

from __future__ import annotations

import numpy as np

from btc_llm.streams import StreamError, decode_fields

DIGITS = 5  # indices in a radix group
WORD_BYTES = 4


def index_width(codebook_size: int) -> int:
    """Bits of an index in the fixed coding."""
    return max(1, (codebook_size - 1).bit_length())


def radix_group_bytes(codebook_size: int) -> int:
    """Bytes of five indices: the fewest that hold codebook_size ** 5 values."""
    return max(1, -(-(codebook_size ** DIGITS - 1).bit_length() // 8))


def index_shape(coding: str, rows: int, per_row: int, codebook_size: int) -> tuple[int, ...]:
    """Shape of the tensor that holds [rows, per_row] indices."""
    if coding == "fixed":
        return (rows, -(-per_row * index_width(codebook_size) // 8))
    return (-(-rows * per_row // DIGITS) * radix_group_bytes(codebook_size),)


def decode_indices(raw: np.ndarray, coding: str, rows: int, per_row: int, codebook_size: int,
                   stored: int) -> np.ndarray:
    """u32 [rows, per_row], each below `stored`, from u8 of `index_shape`."""
    if coding == "radix":
        index = _decode_radix(raw, rows * per_row, codebook_size, stored)
        return index.reshape(rows, per_row)
    width = index_width(codebook_size)
    index = decode_fields(raw, per_row, width)
    high = index >= stored
    if high.any():
        row, place = divmod(int(np.argmax(high)), per_row)
        raise StreamError(row * raw.shape[1] + place * width // 8,
                          f"index {index[row, place]}, expected < {stored}")
    return index


def _decode_radix(raw: np.ndarray, count: int, base: int, stored: int) -> np.ndarray:
    """u32 [count]: digits to base `base`, the lowest first."""
    group_bytes = radix_group_bytes(base)
    groups = raw.reshape(-1, group_bytes)
    words = -(-group_bytes // WORD_BYTES)
    padded = np.zeros((len(groups), WORD_BYTES * words), dtype=np.uint8)
    padded[:, :group_bytes] = groups
    value = padded.view("<u4").astype(np.uint64)  # [groups, words], the lowest first
    digits = np.empty((len(groups), DIGITS), dtype=np.uint32)
    for d in range(DIGITS):
        digits[:, d] = _divide(value, base)
    index = digits.reshape(-1)
    high = index[:count] >= stored
    if high.any():
        first = int(np.argmax(high))
        raise StreamError(first // DIGITS * group_bytes,
                          f"index {index[first]}, expected < {stored}")
    left = value.any(axis=1)
    if index[count:].any():
        left[-1] = True
    if left.any():
        raise StreamError(int(np.argmax(left)) * group_bytes,
                          "value of a group too large or unused digits set, expected digits to "
                          f"base {base}")
    return index[:count]


def _divide(value: np.ndarray, base: int) -> np.ndarray:
    """Long division of u64 [groups, words], each word below 2^32, by base <= 2^20, in place.

    Returns the remainders.
    """
    rest = np.zeros(len(value), dtype=np.uint64)
    for w in reversed(range(value.shape[1])):
        part = (rest << np.uint64(8 * WORD_BYTES)) | value[:, w]
        value[:, w], rest = np.divmod(part, np.uint64(base))
    return rest
