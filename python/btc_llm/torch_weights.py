"""Dense weights as PyTorch tensors."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from btc_llm.errors import FormatError
from btc_llm.packed_model import CONFIG_NAME, PackedModel
from btc_llm.safetensors_file import SafetensorsFile, Tensor

_STORED = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32}
_CONFIGURED = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


def configured_dtype(model: PackedModel) -> torch.dtype:
    """What the source's config.json says, float32 if nothing."""
    name = model.config.get("dtype", model.config.get("torch_dtype")) or "float32"
    if name not in _CONFIGURED:
        raise FormatError(f"{CONFIG_NAME}: dtype {name}, expected one of {', '.join(_CONFIGURED)}")
    return _CONFIGURED[name]


def stored_tensor(file: SafetensorsFile, tensor: Tensor) -> torch.Tensor:
    """A tensor that is stored as in the source, in its own type."""
    raw = bytearray(file.raw(tensor))
    flat = torch.frombuffer(raw, dtype=_STORED[tensor.dtype]) if raw else torch.empty(
        0, dtype=_STORED[tensor.dtype])
    return flat.reshape(tensor.shape)


def linears(model: PackedModel, dtype: torch.dtype | None = None
            ) -> Iterator[tuple[str, torch.Tensor]]:
    """Name (with `.weight`) and dense weight of each Linear, one at a time."""
    dtype = dtype or configured_dtype(model)
    for name, weight in model.linears():
        yield name, torch.from_numpy(weight).to(dtype)


def state_dict(model: PackedModel, dtype: torch.dtype | None = None) -> dict[str, torch.Tensor]:
    """Every tensor of the dense model."""
    dtype = dtype or configured_dtype(model)
    tensors = dict(linears(model, dtype))
    for file, tensor in model.copied():
        tensors[tensor.name] = stored_tensor(file, tensor).to(dtype)
    return tensors


def block_state_dict(model: PackedModel, block: int,
                     dtype: torch.dtype | None = None) -> dict[str, torch.Tensor]:
    """Every tensor of one block."""
    dtype = dtype or configured_dtype(model)
    return {name: torch.from_numpy(values.copy()).to(dtype)
            for name, values in model.unpack_block(block).items()}
