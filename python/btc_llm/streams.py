"""Fields of equal width in a stream of bits, least significant bit first."""

from __future__ import annotations

import numpy as np


class StreamError(Exception):
    """What is wrong at which byte of a stream. Whoever knows the tensor makes it a FormatError."""

    def __init__(self, byte: int, text: str):
        super().__init__(text)
        self.byte = int(byte)
        self.text = text


def decode_fields(rows: np.ndarray, count: int, width: int) -> np.ndarray:
    """u32 [n, count] from u8 [n, ceil(count width / 8)]; 1 <= width <= 24. Pad bits must be 0."""
    n, row_bytes = rows.shape
    used = count * width % 8
    if used and n:
        padding = (rows[:, -1] >> used) != 0
        if padding.any():
            row = int(np.argmax(padding))
            raise StreamError((row + 1) * row_bytes - 1,
                              f"pad bits of row {row} are set, expected 0")
    bit = np.arange(count) * width
    byte, shift = bit // 8, (bit % 8).astype(np.uint32)
    spare = np.zeros((n, 4), dtype=np.uint8)  # the last field may begin in the last byte
    padded = np.concatenate([rows, spare], axis=1)
    word = np.zeros((n, count), dtype=np.uint32)
    for k in range((width + 14) // 8):  # a field lies in so many bytes, wherever it begins
        word |= padded[:, byte + k].astype(np.uint32) << np.uint32(8 * k)
    return (word >> shift) & np.uint32((1 << width) - 1)
