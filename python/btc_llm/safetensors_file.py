"""The safetensors container, read with NumPy alone; every field of the header is checked."""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from btc_llm.checked_json import is_whole, parse_object
from btc_llm.errors import FormatError

ITEM_SIZES = {"U8": 1, "I8": 1, "I32": 4, "I64": 8, "F16": 2, "BF16": 2, "F32": 4, "F64": 8}
LENGTH_BYTES = 8  # the length of the header in front of the header
MAX_HEADER = 100_000_000
METADATA = "__metadata__"


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies in its file."""

    name: str
    dtype: str  # as in the file: "F16", "U8", ...
    shape: tuple[int, ...]
    begin: int  # first byte, counted from the beginning of the file
    nbytes: int


class SafetensorsFile:
    """An open file; its bytes are mapped, not read."""

    def __init__(self, path: Path):
        """Raises FormatError for a header that is wrong or does not fit the file."""
        self.path = Path(path)
        self.name = self.path.name
        with open(self.path, "rb") as file:
            size = file.seek(0, 2)
            if size < LENGTH_BYTES:
                raise FormatError(f"{self.name}: {size} bytes, expected at least {LENGTH_BYTES}")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._bytes = np.frombuffer(self._map, dtype=np.uint8)
        self.metadata: dict[str, str] = {}
        self.tensors: dict[str, Tensor] = {}
        self._read_header()

    def get(self, name: str) -> Tensor | None:
        return self.tensors.get(name)

    def at(self, name: str) -> Tensor:
        """Raises FormatError if there is none."""
        if name not in self.tensors:
            raise FormatError(f"{self.name}: {name} is missing")
        return self.tensors[name]

    def raw(self, tensor: Tensor) -> np.ndarray:
        """Its bytes, u8, borrowed from the mapping."""
        return self._bytes[tensor.begin:tensor.begin + tensor.nbytes]

    def values(self, tensor: Tensor) -> np.ndarray:
        """A copy in its own shape and type; BF16 becomes float32, which holds every value of it."""
        raw = self.raw(tensor)
        if tensor.dtype == "BF16":
            high = np.frombuffer(raw.tobytes(), dtype="<u2").astype(np.uint32)
            return (high << np.uint32(16)).view(np.float32).reshape(tensor.shape)
        dtypes = {"U8": "u1", "I8": "i1", "I32": "<i4", "I64": "<i8", "F16": "<f2", "F32": "<f4",
                  "F64": "<f8"}
        return np.frombuffer(raw.tobytes(), dtype=dtypes[tensor.dtype]).reshape(tensor.shape)

    def fail(self, tensor: Tensor, byte: int, text: str) -> NoReturn:
        """A FormatError; `byte` is counted from the first one of the tensor."""
        raise FormatError(f"{self.name}: {tensor.name}, byte {tensor.begin + int(byte)}: {text}")

    def _read_header(self) -> None:
        size = len(self._bytes)
        length = int.from_bytes(self._map[:LENGTH_BYTES], "little")
        if length > min(MAX_HEADER, size - LENGTH_BYTES):
            raise FormatError(f"{self.name}: byte 0: header length {length}, expected at most "
                              f"{min(MAX_HEADER, size - LENGTH_BYTES)}")
        data = LENGTH_BYTES + length
        header = parse_object(self._map[LENGTH_BYTES:data], self.name)
        for name, entry in header.items():
            if name == METADATA:
                self._read_metadata(entry)
            else:
                self.tensors[name] = self._read_tensor(name, entry, data)
        position = data
        for tensor in sorted(self.tensors.values(), key=lambda t: (t.begin, t.nbytes)):
            if tensor.begin != position:
                kind = "overlap" if tensor.begin < position else "hole"
                self.fail(tensor, 0, f"{kind}, expected to begin at byte {position}")
            position += tensor.nbytes
        if position != size:
            raise FormatError(f"{self.name}: byte {position}: {size - position} bytes behind the "
                              "last tensor")

    def _read_metadata(self, entry) -> None:
        if not isinstance(entry, dict) or not all(isinstance(v, str) for v in entry.values()):
            raise FormatError(f"{self.name}: {METADATA} is not an object of texts")
        self.metadata = entry

    def _read_tensor(self, name: str, entry, data: int) -> Tensor:
        where = f"{self.name}: {name}"
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise FormatError(f"{where}: expected an object with dtype, shape, data_offsets")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in ITEM_SIZES:
            raise FormatError(f"{where}: dtype {dtype}, expected one of {', '.join(ITEM_SIZES)}")
        for field, value in (("shape", shape), ("data_offsets", offsets)):
            if not isinstance(value, list) or not all(is_whole(extent) for extent in value):
                raise FormatError(f"{where}: {field} is not a list of whole numbers")
        if len(offsets) != 2 or offsets[0] > offsets[1]:
            raise FormatError(f"{where}: data_offsets are not two ascending numbers")
        begin, end = data + offsets[0], data + offsets[1]
        if end > len(self._bytes):
            raise FormatError(f"{where}: data ends at byte {end} of {len(self._bytes)}: file cut "
                              "short or header wrong")
        expected = math.prod(shape) * ITEM_SIZES[dtype]
        if end - begin != expected:
            raise FormatError(f"{where}: {end - begin} bytes of data, shape and dtype need "
                              f"{expected}")
        return Tensor(name, dtype, tuple(shape), begin, end - begin)
