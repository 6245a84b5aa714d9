"""The group of each entry from bytes: bits, trits or pairs of bits, or Golomb-Rice codes."""

from __future__ import annotations

import numpy as np

from btc_llm.streams import StreamError

MAX_RICE_PARAMETER = 15
# Rows of fewer entries are coded as one long row.
LONG_ROW = 2048
_ENTRIES_PER_BYTE = {2: 8, 3: 5, 4: 4}
_CHUNK_BYTES = 1 << 20  # of codes that are decoded at once
_SIDE_BY_SIDE = 2048  # chains of codes that are followed at once


def group_map_row_bytes(entries: int, groups: int) -> int:
    """Bytes of a row of `entries` entries in 2, 3 or 4 groups, not Rice-coded."""
    return -(-entries // _ENTRIES_PER_BYTE[groups])


def decode_group_map(raw: np.ndarray, entries: int, groups: int) -> np.ndarray:
    """u8 [n, entries] from u8 [n, group_map_row_bytes]: digits to base `groups`, lowest first."""
    per_byte = _ENTRIES_PER_BYTE[groups]
    n, row_bytes = raw.shape
    digits = np.empty((n, row_bytes, per_byte), dtype=np.uint8)
    rest = raw.copy()
    for d in range(per_byte):
        digits[:, :, d] = rest % groups
        rest //= groups
    wrong = rest != 0
    digits = digits.reshape(n, row_bytes * per_byte)
    if row_bytes:
        wrong[:, -1] |= digits[:, entries:].any(axis=1)
    if wrong.any():
        row, byte = divmod(int(np.argmax(wrong)), row_bytes)
        raise StreamError(row * row_bytes + byte,
                          f"byte value {raw[row, byte]} of row {row}, expected unused bits and "
                          "digits to be 0")
    return digits[:, :entries]


def decode_rice_map(raw: np.ndarray, row_bytes: np.ndarray, parameter: int,
                    entries: int) -> np.ndarray:
    """u8 [n, entries] of zeros and ones; a code is the gap to the next one.

    raw        u8, the rows one behind the other
    row_bytes  [n], of each row; they sum to the length of `raw`
    """
    ends = np.cumsum(row_bytes, dtype=np.int64)
    result = np.zeros((len(row_bytes), entries), dtype=np.uint8)
    first = 0
    while first < len(row_bytes):
        begin = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, begin + _CHUNK_BYTES)))
        try:
            rows = _RiceRows(raw[begin:int(ends[last - 1])], row_bytes[first:last], parameter)
            row, entry = rows.ones(entries)
        except StreamError as error:
            raise StreamError(begin + error.byte, error.text) from None
        result[first + row, entry] = 1
        first = last
    return result


class _RiceRows:
    """Some rows of codes, each q ones, a zero and k low bits, padded with ones to a byte.

    The end of a code is known for every bit at which one may begin. Which bits do begin one
    follows from the first bits of the rows by following the ends, twice as far in each step.
    """

    def __init__(self, raw: np.ndarray, row_bytes: np.ndarray, parameter: int):
        self.parameter = parameter
        self.bits = np.unpackbits(raw, bitorder="little")
        size = len(self.bits)
        kind = np.int32 if size < 1 << 30 else np.int64
        row_bits = np.asarray(row_bytes, dtype=kind) * 8
        ends = np.cumsum(row_bits, dtype=kind)
        self.row_of = np.repeat(np.arange(len(row_bits), dtype=kind), row_bits)
        self.row_end = np.repeat(ends, row_bits)
        # The first zero at or behind a bit; `size` where there is none.
        zero = np.where(self.bits == 0, np.arange(size, dtype=kind), kind(size))
        self.zero = np.minimum.accumulate(zero[::-1])[::-1]
        after = np.append(self.zero + kind(1 + parameter), kind(size))
        after[:-1][after[:-1] >= self.row_end] = size  # no code of this row begins there
        self.begins = self._follow((ends - row_bits)[row_bits > 0], after)

    @staticmethod
    def _follow(places: np.ndarray, jump: np.ndarray) -> np.ndarray:
        """All places on the way from the first ones; `jump` of the last place is itself.

        Places are followed side by side. Where they are few, twice as many in each step.
        """
        last = len(jump) - 1
        found = [places]
        while len(places):
            further = jump[places]
            further = further[further < last]
            found.append(further)
            if len(places) < _SIDE_BY_SIDE and len(further):
                places = np.concatenate([places, further])
                jump = jump[jump]
            else:
                places = further
        return np.sort(np.concatenate(found))

    def ones(self, entries: int) -> tuple[np.ndarray, np.ndarray]:
        """Row and entry of each one."""
        begins, end = self.begins, self.row_end[self.begins]
        zero = self.zero[begins]
        padding = zero >= end  # only ones are left
        self._check(padding & (end - begins >= 8), "a row ends with more than 7 pad bits")
        cut = ~padding & (zero + 1 + self.parameter > end)
        self._check(cut, "a row ends inside a code")
        begins, zero = begins[~padding], zero[~padding]
        gap = (zero - begins).astype(np.int64) << self.parameter
        for k in range(self.parameter):
            gap += self.bits[zero + 1 + k].astype(np.int64) << k
        row = self.row_of[begins]
        # The entry is the sum of the gaps of its row so far, and one more for each one before it.
        total = np.cumsum(gap + 1)
        first_code = np.searchsorted(row, row)
        entry = total - (total - gap - 1)[first_code] - 1
        far = entry >= entries
        if far.any():
            k = int(np.argmax(far))
            raise StreamError(begins[k] // 8, f"entry {entry[k]}, expected < {entries}")
        return row, entry

    def _check(self, wrong: np.ndarray, text: str) -> None:
        if wrong.any():
            raise StreamError(self.begins[int(np.argmax(wrong))] // 8, text)
