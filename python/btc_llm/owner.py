"""The tensors of one owner (a Linear, a codebook, the factors of an input), checked one by one."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from btc_llm.safetensors_file import SafetensorsFile, Tensor

MAX_INT8_SCALE = 127


class Owner:
    """Reads `PREFIX.FIELD`; whatever is wrong is a FormatError that names tensor and byte."""

    def __init__(self, file: SafetensorsFile, prefix: str):
        self.file = file
        self.prefix = prefix

    def has(self, field: str) -> bool:
        return self.file.get(f"{self.prefix}.{field}") is not None

    def refuse(self, reason: str, *fields: str) -> None:
        """Fails if one of these is there."""
        for field in fields:
            if self.has(field):
                self.fail(field, 0, f"is present, but {reason}")

    def fail(self, field: str, byte: int, text: str) -> NoReturn:
        self.file.fail(self.file.at(f"{self.prefix}.{field}"), byte, text)

    def tensor(self, field: str, dtype: str, shape: tuple[int, ...] | None = None) -> Tensor:
        tensor = self.file.at(f"{self.prefix}.{field}")
        if tensor.dtype != dtype:
            self.fail(field, 0, f"dtype {tensor.dtype}, expected {dtype}")
        if shape is not None and tensor.shape != tuple(shape):
            self.fail(field, 0, f"shape {list(tensor.shape)}, expected {list(shape)}")
        return tensor

    def raw(self, field: str, shape: tuple[int, ...]) -> np.ndarray:
        """Bytes of this shape."""
        return self.file.raw(self.tensor(field, "U8", shape)).reshape(shape)

    def list(self, field: str, dtype: str) -> np.ndarray:
        """A tensor of one dimension, not empty, whose extent the file alone knows."""
        tensor = self.tensor(field, dtype)
        if len(tensor.shape) != 1 or tensor.shape[0] < 1:
            self.fail(field, 0, f"shape {list(tensor.shape)}, expected one dimension, not empty")
        return self.file.values(tensor)

    def halves(self, field: str, shape: tuple[int, ...]) -> np.ndarray:
        """Finite fp16 values, as float32."""
        values = self.file.values(self.tensor(field, "F16", shape)).astype(np.float32)
        finite = np.isfinite(values).reshape(-1)
        if not finite.all():
            first = int(np.argmin(finite))
            self.fail(field, 2 * first,
                      f"value {values.reshape(-1)[first]}, expected a finite number")
        return values

    def int8(self, field: str, shape: tuple[int, ...], unit: np.float32) -> np.ndarray:
        """Integers -127..127 times `unit`, as float32."""
        codes = self.file.values(self.tensor(field, "I8", shape))
        low = (codes < -MAX_INT8_SCALE).reshape(-1)
        if low.any():
            self.fail(field, int(np.argmax(low)), "value -128, expected -127..127")
        return codes.astype(np.float32) * unit

    def square(self, field: str, limit: int) -> np.ndarray:
        """A square fp16 matrix of at most `limit` rows."""
        shape = self.tensor(field, "F16").shape
        if len(shape) != 2 or not 1 <= shape[0] <= limit or shape[0] != shape[1]:
            self.fail(field, 0, f"shape {list(shape)}, expected a square of 1..{limit} rows")
        return self.halves(field, shape)

    def bits(self, field: str, rows: int, cols: int, one_row: bool = False) -> np.ndarray:
        """Rows of bits as bool [rows, cols]; each row is padded to bytes with 0.

        `one_row`: the tensor has one dimension.
        """
        row_bytes = -(-cols // 8)
        raw = self.raw(field, (row_bytes,) if one_row else (rows, row_bytes))
        bits = np.unpackbits(raw.reshape(rows, row_bytes), axis=1, bitorder="little")
        padding = bits[:, cols:].any(axis=1)
        if padding.any():
            row = int(np.argmax(padding))
            self.fail(field, (row + 1) * row_bytes - 1, f"pad bits of row {row} are set, expected 0")
        return bits[:, :cols].astype(bool)
