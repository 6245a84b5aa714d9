"""Packed models in transformers: `quant_method: "btc"`.

`from_pretrained` builds the model and loads what is stored as in the source: embedding, head, norms
and biases. Afterwards the Linears are decoded one by one into their dense weights. What comes out
is an ordinary dense model, which can be saved or trained as any other.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
import transformers
from transformers.quantizers.auto import (AUTO_QUANTIZATION_CONFIG_MAPPING, AUTO_QUANTIZER_MAPPING)
from transformers.quantizers.base import HfQuantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from btc_llm.errors import FormatError
from btc_llm.packed_config import KEY, QUANT_METHOD, read_quantization_config
from btc_llm.packed_model import LINEAR_FIELDS, PackedModel
from btc_llm.torch_weights import linears

_OLDEST_MAJOR = 5


class BtcConfig(QuantizationConfigMixin):
    """The `quantization_config` of a packed model, field by field as it is stored."""

    # The model is dense once it is loaded: transformers then forgets that it was quantized.
    dequantize = True

    def __init__(self, **fields):
        fields["quant_method"] = QUANT_METHOD
        read_quantization_config(fields, KEY)
        self.__dict__.update(fields)


class BtcQuantizer(HfQuantizer):
    """Unpacks while loading."""

    requires_calibration = True  # a model is packed by btc_pipeline, not here

    def __init__(self, quantization_config, **kwargs):
        super().__init__(quantization_config, **kwargs)
        self._packed: PackedModel | None = None
        self._dtypes: dict[str, torch.dtype] = {}

    def validate_environment(self, *args, device_map=None, **kwargs):
        if int(transformers.__version__.split(".")[0]) < _OLDEST_MAJOR:
            raise ImportError(f"transformers {transformers.__version__} refuses the files of packed "
                              f"models, expected {_OLDEST_MAJOR}.0 or later; `btc export` writes a "
                              "dense directory for any version")
        places = device_map.values() if isinstance(device_map, dict) else [device_map]
        if "disk" in places:
            raise ValueError("packed models are unpacked in memory: device_map with \"disk\" is "
                             "not supported; use `btc export` for a dense directory")

    def _process_model_before_weight_loading(self, model, checkpoint_files=None, **kwargs):
        self._packed = PackedModel(_directory_of(model, checkpoint_files))
        self._packed.check()  # all files: transformers reads them next
        self._dtypes = {name: parameter.dtype for name, parameter in model.named_parameters()}
        # Tensors of the format are no parameters, and the weights of Linears are in no file.
        fields = "|".join(sorted(LINEAR_FIELDS))
        ours = [rf"\.({fields})$", r"\.btc\."]
        missing = []
        for block in range(self._packed.blocks):
            for name in self._packed.linear_names(block):
                own = _name_in(model, name)
                missing.append(rf"^{re.escape(own)}\.weight$")
                # No random weights for what is about to be overwritten.
                model.get_submodule(own)._is_hf_initialized = True
        _add_patterns(model, "_keys_to_ignore_on_load_unexpected", ours)
        _add_patterns(model, "_keys_to_ignore_on_load_missing", missing)
        return model

    @torch.no_grad()
    def _process_model_after_weight_loading(self, model, **kwargs):
        # transformers 5.0 keeps the type of the file where names lose their prefix.
        for name, parameter in model.named_parameters():
            parameter.data = parameter.data.to(self._dtypes[name])
        for name, weight in linears(self._packed, torch.float32):
            parameter = model.get_parameter(_name_in(model, name))
            if parameter.shape != weight.shape:
                raise FormatError(f"{name}: shape {list(weight.shape)}, the model of config.json "
                                  f"has {list(parameter.shape)}")
            if parameter.device.type == "meta":
                raise ValueError(f"{name}: is not in memory; device maps that offload weights are "
                                 "not supported for packed models")
            parameter.copy_(weight)
        self._packed = None
        return model

    def is_serializable(self, *args, **kwargs):
        return True

    @property
    def is_trainable(self):
        return True


def register() -> None:
    """Makes the method known; does nothing the second time."""
    AUTO_QUANTIZATION_CONFIG_MAPPING.setdefault(QUANT_METHOD, BtcConfig)
    AUTO_QUANTIZER_MAPPING.setdefault(QUANT_METHOD, BtcQuantizer)


def _directory_of(model, checkpoint_files) -> Path:
    """Where the model is loaded from: the folder of its files, in the cache of a download too."""
    if checkpoint_files:
        return Path(checkpoint_files[0]).parent
    return Path(model.config.name_or_path)


def _name_in(model, name: str) -> str:
    """The name of a tensor in this model: a bare `AutoModel` has none of its prefix."""
    prefix = model.base_model_prefix
    return name if hasattr(model, prefix) else name.removeprefix(f"{prefix}.")


def _add_patterns(model, attribute: str, patterns: list[str]) -> None:
    """To a list or set of this model, not of its class."""
    present = getattr(model, attribute)
    kind = set if isinstance(present, set) else list
    setattr(model, attribute, kind([*(present or ()), *patterns]))
