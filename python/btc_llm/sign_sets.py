"""Layout `masked`: sub-vectors are of sets of signs, the entries of a panel that share scales.

The sets of a panel are its groups, then the salient groups in the first plane, then the salient
groups in the second plane. The signs of a set are taken row by row.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def sets_of_panel(group: np.ndarray, salient: np.ndarray, salient_group: np.ndarray, groups: int,
                  salient_groups: int, has_salient: bool) -> list[tuple[bool, np.ndarray]]:
    """(second plane, mask) of each set.

    group          u8 [n, k], group of each entry that is not salient
    salient        bool [k]
    salient_group  u8 [n, K of the panel]

    A mask is [n, k], in the second plane [n, K of the panel].
    """
    sets = [(False, (group == g) & ~salient) for g in range(groups)]
    if has_salient:
        second = [(True, salient_group == s) for s in range(salient_groups)]
        for _, mask in second:
            first = np.zeros(group.shape, dtype=bool)
            first[:, salient] = mask
            sets.append((False, first))
        sets += second
    return sets


def vectors_of(mask: np.ndarray, vector_length: int) -> int:
    """Sub-vectors of a set."""
    return -(-int(np.count_nonzero(mask)) // vector_length)


def panels(cols: int, panel: int) -> Iterator[tuple[int, slice]]:
    """Number and columns of each panel."""
    for b, begin in enumerate(range(0, cols, panel)):
        yield b, slice(begin, min(begin + panel, cols))
