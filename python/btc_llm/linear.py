"""One Linear of a packed block: its tensors checked, its dense weights Q in float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from btc_llm.group_map import (LONG_ROW, MAX_RICE_PARAMETER, decode_group_map, decode_rice_map,
                               group_map_row_bytes)
from btc_llm.index_coding import decode_indices, index_shape
from btc_llm.owner import Owner
from btc_llm.packed_config import PackedFormat
from btc_llm.sign_sets import panels, sets_of_panel, vectors_of
from btc_llm.streams import StreamError, decode_fields

_UNIT_EXPONENTS = range(-24, 9)  # of the power of two that 8-bit scales are multiples of
_MAX_EXTENT = 1 << 40
_CHUNK = 1 << 22  # weights that are worked on at once


@dataclass
class Shape:
    """Extents that most tensors of a Linear share."""

    rows: int
    cols: int
    panel: int  # columns that share scales
    panels: int
    salient: np.ndarray  # bool [cols]
    kept: np.ndarray  # columns that are not salient, ascending
    columns: np.ndarray  # the others, ascending


class LinearReader:
    """Reads the Linear `PREFIX`; docs/file_formats.md has the tensors and their order."""

    def __init__(self, owner: Owner, packed: PackedFormat, codebooks: list[np.ndarray]):
        """`codebooks`: u32 codewords, one list for all sub-vectors or one for each panel or set."""
        self.owner = owner
        self.packed = packed
        self.codebooks = codebooks
        self.shape = self._read_shape()
        self.alpha_unit, self.column_unit = np.float32(1), np.float32(1)

    def dense(self) -> np.ndarray:
        """Q, float32 [n, m]: by the formulas of the format, in their order."""
        if self.packed.codec == "uniform":
            return self._uniform()
        owner, packed, shape = self.owner, self.packed, self.shape
        owner.refuse("the format has no uniform levels", "levels", "zeros")
        signs = self._read_signs()
        ratio = self._read_ratio()
        alpha = self._scales("alpha", self._scale_shape(), self.alpha_unit)
        mu = self._read_mu()
        salient_scales = self._read_salient_scales()
        column_scale = self._read_column_scale()
        salient_column_scale = self._read_salient_column_scale()
        column_mean = self._read_column_mean()
        group, salient_group = self._read_groups()
        if packed.masked:
            signs, residual = self._read_sets(group, salient_group)
        else:
            residual = self._read_residual()
        q = self._entries(signs, group, alpha, ratio, mu, column_scale)
        if column_mean is not None:
            q += column_mean
        if len(shape.columns):
            q[:, shape.columns] = self._salient_entries(signs[:, shape.columns], residual,
                                                        salient_group, salient_scales,
                                                        salient_column_scale)
        return q

    # What the tensors hold.

    def _read_shape(self) -> Shape:
        owner, packed = self.owner, self.packed
        rows, cols = (int(x) for x in
                      owner.file.values(owner.tensor("weight_shape", "I64", (2,))))
        if rows < 1 or cols < 1 or rows * cols > _MAX_EXTENT:
            owner.fail("weight_shape", 0, f"[{rows}, {cols}], expected two positive numbers")
        salient = np.zeros(cols, dtype=bool)
        if owner.has("salient_columns"):
            if not packed.salient:
                owner.refuse("the format has no salient columns", "salient_columns")
            salient = owner.bits("salient_columns", 1, cols, one_row=True)[0]
            if not salient.any():
                owner.fail("salient_columns", 0, "no column is set, expected at least one")
        panel = cols if packed.panel == 0 else min(packed.panel, cols)
        return Shape(rows, cols, panel, -(-cols // panel), salient, np.flatnonzero(~salient),
                     np.flatnonzero(salient))

    def _scale_shape(self) -> tuple[int, int, int]:
        own = 1 if self.packed.group_ratio else self.packed.groups
        return (self.shape.rows, self.shape.panels, own)

    def _scales(self, field: str, shape: tuple[int, ...], unit: np.float32) -> np.ndarray:
        if self.packed.int8_scales:
            return self.owner.int8(field, shape, unit)
        return self.owner.halves(field, shape)

    def _read_signs(self) -> np.ndarray | None:
        """Bool [n, m], or nothing yet where sub-vectors are of sets."""
        owner, packed, shape = self.owner, self.packed, self.shape
        if packed.codec == "none":
            owner.refuse("the format has no codec", "indices")
            return owner.bits("signs", shape.rows, shape.cols)
        owner.refuse("the format has a codec", "signs")
        if packed.masked:
            return None
        v = packed.vector_length
        per_row = -(-shape.cols // v)
        several = packed.scope == "block_group"
        self._check_codebooks(shape.panels if several else 1)
        index = self._read_indices(shape.rows, per_row)
        signs = np.empty((shape.rows, shape.cols), dtype=bool)
        vectors = shape.panel // v if several else per_row  # that a codebook codes
        for k, first in enumerate(range(0, per_row, vectors)):
            part = self._signs_of(index[:, first:first + vectors], k)
            begin = first * v
            end = min(begin + vectors * v, shape.cols)
            signs[:, begin:end] = part[:, :end - begin]
        return signs

    def _check_codebooks(self, expected: int) -> None:
        if len(self.codebooks) != expected:
            self.owner.tensor("codebook_size", "I64", (expected,))

    def _read_indices(self, rows: int, per_row: int) -> np.ndarray:
        packed = self.packed
        raw = self.owner.raw("indices", index_shape(packed.index_coding, rows, per_row,
                                                    packed.codebook_size))
        stored = max(len(codewords) for codewords in self.codebooks)
        return self._decoded("indices", 0, decode_indices, raw, packed.index_coding, rows, per_row,
                             packed.codebook_size, stored)

    def _signs_of(self, index: np.ndarray, codebook: int) -> np.ndarray:
        """Bool [n, s v] of the sub-vectors [n, s]."""
        codewords = self.codebooks[codebook]
        if index.size and index.max() >= len(codewords):
            self.owner.fail("indices", 0, f"index {index.max()} into a codebook, expected < "
                                          f"{len(codewords)}")
        v = self.packed.vector_length
        table = (codewords[:, None] >> np.arange(v, dtype=np.uint32) & np.uint32(1)).astype(bool)
        return table[index].reshape(index.shape[0], -1)

    def _decoded(self, field: str, offset: int, decode, *arguments):
        """What `decode` returns; its StreamError becomes one of this tensor."""
        try:
            return decode(*arguments)
        except StreamError as error:
            self.owner.fail(field, offset + error.byte, error.text)

    def _read_ratio(self) -> np.ndarray | None:
        """Float32 [G], the first is 1; sets the units of 8-bit scales."""
        owner, packed = self.owner, self.packed
        if not packed.group_ratio:
            owner.refuse("the groups have scales of their own", "group_ratio")
            return None
        units = 2 if packed.int8_scales else 0
        values = owner.halves("group_ratio", (units + packed.groups - 1,))
        for k in range(units):
            mantissa, exponent = np.frexp(values[k])
            if mantissa != 0.5 or exponent - 1 not in _UNIT_EXPONENTS:
                owner.fail("group_ratio", 2 * k, f"unit {values[k]}, expected a power of two, "
                                                 "2^-24 to 2^8")
        if units:
            self.alpha_unit, self.column_unit = values[:2]
        return np.concatenate([np.ones(1, dtype=np.float32), values[units:]])

    def _read_mu(self) -> np.ndarray | None:
        if self.packed.mean:
            return self.owner.halves("mu", self._scale_shape())
        self.owner.refuse("the format has no means", "mu", "salient_mu")
        return None

    def _read_salient_scales(self) -> tuple[np.ndarray, np.ndarray | None] | None:
        """[n, p, g, 2] and [n, p, g]."""
        owner, shape, g = self.owner, self.shape, self.packed.salient_groups
        if not len(shape.columns):
            owner.refuse("salient_columns is not", "salient_alpha", "salient_mu", "residual_signs")
            return None
        alpha = owner.halves("salient_alpha", (shape.rows, shape.panels, g, 2))
        mu = None
        if self.packed.mean:
            mu = owner.halves("salient_mu", (shape.rows, shape.panels, g))
        return alpha, mu

    def _read_residual(self) -> np.ndarray | None:
        shape = self.shape
        if not len(shape.columns):
            return None
        return self.owner.bits("residual_signs", shape.rows, len(shape.columns))

    def _read_column_scale(self) -> np.ndarray | None:
        """Float32 [C, m], 1 in salient columns."""
        owner, packed, shape = self.owner, self.packed, self.shape
        if not packed.column_scale:
            owner.refuse("the format has no column scales", "alpha_col")
            return None
        count = packed.groups if packed.group_column_scale else 1
        scale = np.ones((count, shape.cols), dtype=np.float32)
        scale[:, shape.kept] = self._scales("alpha_col", (count, len(shape.kept)),
                                            self.column_unit)
        return scale

    def _read_salient_column_scale(self) -> np.ndarray | None:
        """Float32 [2g, K]."""
        if not self.packed.group_column_scale or not len(self.shape.columns):
            self.owner.refuse("the format has none, or no column is salient", "salient_alpha_col")
            return None
        return self.owner.halves("salient_alpha_col",
                                 (2 * self.packed.salient_groups, len(self.shape.columns)))

    def _read_column_mean(self) -> np.ndarray | None:
        if self.packed.column_mean:
            return self.owner.halves("mu_col", (1, self.shape.cols))
        self.owner.refuse("the format has no column means", "mu_col")
        return None

    def _read_groups(self) -> tuple[np.ndarray | None, np.ndarray]:
        """U8 [n, m], 0 in salient columns, or none if there is one group; u8 [n, K]."""
        owner, packed, shape = self.owner, self.packed, self.shape
        salient_group = np.zeros((shape.rows, len(shape.columns)), dtype=np.uint8)
        if packed.groups == 1:
            owner.refuse("the format has one group", "group_map", "group_map_row_bytes")
            return None, salient_group
        everywhere = packed.salient_groups > 1  # salient columns have groups too
        entries = shape.cols if everywhere else len(shape.kept)
        if packed.rice_group_map and len(owner.tensor("group_map", "U8").shape) == 1:
            stored = self._read_rice(entries)
        else:
            owner.refuse("the map is not Rice-coded", "group_map_row_bytes")
            row_bytes = group_map_row_bytes(entries, packed.groups)
            raw = owner.raw("group_map", (shape.rows, row_bytes))
            stored = self._decoded("group_map", 0, decode_group_map, raw, entries, packed.groups)
        if everywhere:
            salient_group = stored[:, shape.columns]
        group = np.zeros((shape.rows, shape.cols), dtype=np.uint8)
        group[:, shape.kept] = stored[:, shape.kept] if everywhere else stored
        return group, salient_group

    def _read_rice(self, entries: int) -> np.ndarray:
        owner, shape = self.owner, self.shape
        stream = owner.list("group_map", "U8")
        parameter, codes = int(stream[0]), stream[1:]
        if parameter > MAX_RICE_PARAMETER:
            owner.fail("group_map", 0, f"Rice parameter {parameter}, expected at most "
                                       f"{MAX_RICE_PARAMETER}")
        if entries < LONG_ROW:
            owner.refuse("rows this short have one stream", "group_map_row_bytes")
            one_row = self._decoded("group_map", 1, decode_rice_map, codes,
                                    np.array([len(codes)]), parameter, shape.rows * entries)
            return one_row.reshape(shape.rows, entries)
        pairs = owner.raw("group_map_row_bytes", (shape.rows, 2)).astype(np.int64)
        row_bytes = pairs[:, 0] + (pairs[:, 1] << 8)
        if row_bytes.sum() != len(codes):
            owner.fail("group_map_row_bytes", 0,
                       f"rows of {row_bytes.sum()} bytes, expected {len(codes)}")
        return self._decoded("group_map", 1, decode_rice_map, codes, row_bytes, parameter, entries)

    def _read_sets(self, group: np.ndarray | None,
                   salient_group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Signs of both planes, from sub-vectors of sets."""
        packed, shape, v = self.packed, self.shape, self.packed.vector_length
        self.owner.refuse("indices stand for them", "residual_signs")
        if group is None:
            group = np.zeros((shape.rows, shape.cols), dtype=np.uint8)
        sets = []
        for _, columns in panels(shape.cols, shape.panel):
            ranks = slice(*np.searchsorted(shape.columns, (columns.start, columns.stop)))
            for second, mask in sets_of_panel(group[:, columns], shape.salient[columns],
                                              salient_group[:, ranks], packed.groups,
                                              packed.salient_groups, packed.salient):
                sets.append((second, ranks if second else columns, mask))
        several = packed.scope == "block_group"
        self._check_codebooks(len(sets) if several else 1)
        index = self._read_indices(1, sum(vectors_of(mask, v) for _, _, mask in sets))
        signs = np.zeros((shape.rows, shape.cols), dtype=bool)
        residual = np.zeros((shape.rows, len(shape.columns)), dtype=bool)
        first = 0
        for k, (second, columns, mask) in enumerate(sets):
            count = vectors_of(mask, v)
            values = self._signs_of(index[:, first:first + count], k if several else 0)[0]
            plane = (residual if second else signs)[:, columns]
            plane[mask] = values[:np.count_nonzero(mask)]
            first += count
        return signs, residual

    # What the values are.

    def _uniform(self) -> np.ndarray:
        owner, shape, bits = self.owner, self.shape, self.packed.level_bits
        owner.refuse("the format has uniform levels", "indices", "signs")
        owner.refuse("uniform levels have neither means nor groups", "mu", "salient_mu",
                     "salient_alpha", "residual_signs", "group_map", "group_ratio", "alpha_col",
                     "mu_col", "salient_alpha_col")

        def levels(field: str, count: int) -> np.ndarray:
            raw = owner.raw(field, (shape.rows, -(-count * bits // 8)))
            return self._decoded(field, 0, decode_fields, raw, count, bits).astype(np.float32)

        level = levels("levels", shape.cols)
        zero = self._columns_of_panels(levels("zeros", shape.panels))
        alpha = owner.halves("alpha", self._scale_shape())[:, :, 0]
        return self._columns_of_panels(alpha) * (level - zero)

    def _columns_of_panels(self, values: np.ndarray) -> np.ndarray:
        """[n, m] from [n, p]."""
        return np.repeat(values, self.shape.panel, axis=1)[:, :self.shape.cols]

    def _entries(self, signs: np.ndarray, group: np.ndarray | None, alpha: np.ndarray,
                 ratio: np.ndarray | None, mu: np.ndarray | None,
                 column_scale: np.ndarray | None) -> np.ndarray:
        """(alpha * alpha_col) * B + mu of all columns as if none was salient."""
        q = np.empty((self.shape.rows, self.shape.cols), dtype=np.float32)
        step = max(1, _CHUNK // self.shape.cols)
        for g in range(self.packed.groups):
            for rows in (slice(i, i + step) for i in range(0, self.shape.rows, step)):
                own = alpha[rows, :, 0] * ratio[g] if ratio is not None else alpha[rows, :, g]
                scale = self._columns_of_panels(own)
                if column_scale is not None:
                    scale = scale * column_scale[g if len(column_scale) > 1 else 0]
                value = np.where(signs[rows], scale, -scale)
                value += (self._columns_of_panels(mu[rows, :, g]) if mu is not None
                          else np.float32(0))
                np.copyto(q[rows], value, where=True if g == 0 else group[rows] == g)
        return q

    def _salient_entries(self, signs: np.ndarray, residual: np.ndarray, salient_group: np.ndarray,
                         scales: tuple[np.ndarray, np.ndarray | None],
                         column_scale: np.ndarray | None) -> np.ndarray:
        """(sa * sc) * B + (sa * sc) * R + salient_mu, float32 [n, K]."""
        alpha, mu = scales
        row = np.arange(self.shape.rows)[:, None]
        panel = (self.shape.columns // self.shape.panel)[None, :]
        rank = np.arange(len(self.shape.columns))[None, :]
        planes = []
        for plane, bits in enumerate((signs, residual)):
            scale = alpha[row, panel, salient_group, plane]
            if column_scale is not None:
                scale = scale * column_scale[2 * salient_group.astype(np.intp) + plane, rank]
            planes.append(np.where(bits, scale, -scale))
        mean = np.float32(0) if mu is None else mu[row, panel, salient_group]
        return (planes[0] + planes[1]) + mean
