"""A packed model directory, read straight: no program, no PyTorch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from btc_llm.checked_json import check_version, is_whole, parse_object
from btc_llm.codebooks import MODEL_PREFIX, block_prefix, linear_code, read_codebooks
from btc_llm.errors import FormatError
from btc_llm.linear import LinearReader
from btc_llm.manifest import check_hash, read_manifest
from btc_llm.owner import Owner
from btc_llm.packed_config import FORMAT_NAME, FORMAT_VERSION, read_packed_format
from btc_llm.safetensors_file import SafetensorsFile, Tensor
from btc_llm.transform import INPUT_OF, fold, read_factors

CONFIG_NAME = "config.json"
_OUTER = "outer"
_COPIED = ("F16", "BF16", "F32")
# Tensors of a Linear that `LinearReader` reads; every other tensor is a copy of the source's.
LINEAR_FIELDS = frozenset((
    "weight_shape", "indices", "signs", "codebook", "codebook_size", "levels", "zeros", "alpha",
    "mu", "group_ratio", "alpha_col", "salient_alpha_col", "mu_col", "salient_columns",
    "salient_alpha", "salient_mu", "residual_signs", "group_map", "group_map_row_bytes"))


class PackedModel:
    """Opens a directory; weights are decoded when they are asked for, one Linear at a time."""

    def __init__(self, directory: str | os.PathLike, verify: bool = True):
        """Checks manifest, versions, sizes and configuration; with `verify` also the SHA-256 of
        every file before its first use. Raises FormatError, or OSError for a file that the system
        cannot open."""
        self.directory = Path(directory)
        self._verify = verify
        self._files = read_manifest(self.directory)
        self._verified: set[str] = set()
        self._check_file(CONFIG_NAME)
        self.config = parse_object((self.directory / CONFIG_NAME).read_bytes(), CONFIG_NAME)
        self.format = read_packed_format(self.config, CONFIG_NAME)
        blocks = self.config.get("num_hidden_layers")
        if not is_whole(blocks) or blocks < 1:
            raise FormatError(f"{CONFIG_NAME}: num_hidden_layers is {blocks}, expected a number")
        self.blocks: int = blocks
        for shard in range(blocks + 1):
            if self._shard_name(shard) not in self._files:
                raise FormatError(f"{self.directory}: manifest.json does not list "
                                  f"{self._shard_name(shard)}")
        self._open: tuple[int, SafetensorsFile] | None = None
        self._model_codebooks: list[np.ndarray] | None = None

    def linear_names(self, block: int) -> list[str]:
        """Names of the Linears of a block, as in the source, without `.weight`."""
        return [f"model.layers.{block}.{name}" for name in INPUT_OF]

    def linear(self, name: str) -> np.ndarray:
        """Dense weights float32 [out, in] of a Linear by its name without `.weight`."""
        block, short = self._place_of(name)
        file = self._shard(block)
        weights = LinearReader(Owner(file, name), self.format, self._codebooks(name, block)).dense()
        if self.format.transform:
            weights = fold(weights, *read_factors(file, block, INPUT_OF[short], weights.shape[1]))
        return weights

    def linears(self) -> Iterator[tuple[str, np.ndarray]]:
        """Name (with `.weight`) and dense weights of every Linear, one at a time."""
        for block in range(self.blocks):
            for name in self.linear_names(block):
                yield f"{name}.weight", self.linear(name)

    def unpack_block(self, block: int) -> dict[str, np.ndarray]:
        """All tensors of a block under the names of the source.

        Linears are float32; norms and biases have the type that is stored, bf16 as float32.
        """
        if not 0 <= block < self.blocks:
            raise IndexError(f"block {block} of {self.blocks}")
        tensors = {f"{name}.weight": self.linear(name) for name in self.linear_names(block)}
        return tensors | self._copies(block)

    def outer(self) -> dict[str, np.ndarray]:
        """Embedding, final norm, and the head unless it is tied; types as in `unpack_block`."""
        return self._copies(self.blocks)

    def copied(self) -> Iterator[tuple[SafetensorsFile, Tensor]]:
        """Every tensor that is stored as in the source, shard by shard."""
        for shard in range(self.blocks + 1):
            file = self._shard(shard)
            for tensor in file.tensors.values():
                if self._is_copy(file, tensor):
                    yield file, tensor

    def tensors(self) -> Iterator[tuple[str, np.ndarray]]:
        """Every tensor of the dense model, one at a time; types as in `unpack_block`."""
        for block in range(self.blocks):
            for name in self.linear_names(block):
                yield f"{name}.weight", self.linear(name)
            yield from self._copies(block).items()
        yield from self.outer().items()

    def check(self) -> None:
        """Compares every file with its SHA-256, also without `verify`. Raises FormatError."""
        for file in self._files.values():
            check_hash(self.directory, file)
        self._verified.update(self._files)

    def _shard_name(self, shard: int) -> str:
        return f"model-{shard + 1:05}-of-{self.blocks + 1:05}.safetensors"

    def _check_file(self, name: str) -> None:
        """Before the first use of a file."""
        if name not in self._files:
            raise FormatError(f"{self.directory}: manifest.json does not list {name}")
        if self._verify and name not in self._verified:
            check_hash(self.directory, self._files[name])
            self._verified.add(name)

    def _shard(self, shard: int) -> SafetensorsFile:
        """The open file of a block, or of what is outside the blocks; one is kept open."""
        if self._open is None or self._open[0] != shard:
            name = self._shard_name(shard)
            self._check_file(name)
            file = SafetensorsFile(self.directory / name)
            self._check_metadata(file, _OUTER if shard == self.blocks else str(shard))
            for tensor in file.tensors.values():
                self._is_copy(file, tensor)
            self._open = (shard, file)
        return self._open[1]

    def _check_metadata(self, file: SafetensorsFile, block: str) -> None:
        for key, expected in (("format", FORMAT_NAME), ("version", None), ("block", block)):
            if key not in file.metadata:
                raise FormatError(f"{file.name}: __metadata__.{key} is missing")
            if expected is None:
                check_version(file.metadata[key], FORMAT_VERSION, file.name)
            elif file.metadata[key] != expected:
                raise FormatError(f"{file.name}: {key} {file.metadata[key]}, expected {expected}")

    def _is_copy(self, file: SafetensorsFile, tensor: Tensor) -> bool:
        """Whether a tensor is as in the source; FormatError for one that belongs nowhere."""
        owner, _, field = tensor.name.rpartition(".")
        if field in ("weight", "bias"):
            if tensor.dtype not in _COPIED:
                file.fail(tensor, 0, f"dtype {tensor.dtype}, expected one of {', '.join(_COPIED)}")
            return True
        shared = ".btc" in owner or owner == MODEL_PREFIX
        if field not in LINEAR_FIELDS and not (shared and field in ("p1", "p2")):
            file.fail(tensor, 0, "is no tensor of this format")
        return False

    def _copies(self, shard: int) -> dict[str, np.ndarray]:
        file = self._shard(shard)
        return {tensor.name: file.values(tensor) for tensor in file.tensors.values()
                if self._is_copy(file, tensor)}

    def _place_of(self, name: str) -> tuple[int, str]:
        """Block and name within it."""
        parts = name.split(".", 3)
        known = (len(parts) == 4 and parts[:2] == ["model", "layers"] and parts[2].isdecimal()
                 and int(parts[2]) < self.blocks and parts[3] in INPUT_OF)
        if not known:
            raise KeyError(f"{name}: not a Linear of this model")
        return int(parts[2]), parts[3]

    def _codebooks(self, name: str, block: int) -> list[np.ndarray]:
        """Those that the Linear is coded with; none without codec."""
        packed = self.format
        if packed.codec == "linear_20_16":
            return [linear_code()]
        if packed.codec != "codebook":
            return []
        if packed.scope == "model":
            if self._model_codebooks is None:
                outer = self._shard_name(self.blocks)
                self._check_file(outer)
                file = SafetensorsFile(self.directory / outer)
                self._model_codebooks = read_codebooks(Owner(file, MODEL_PREFIX), packed, False)
            return self._model_codebooks
        prefix = block_prefix(block) if packed.scope == "block" else name
        return read_codebooks(Owner(self._shard(block), prefix), packed,
                              packed.scope == "block_group")
