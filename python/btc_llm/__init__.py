"""Reads packed models of btc_pipeline: binarized language models in the btc-packed format.

    import btc_llm
    model = transformers.AutoModelForCausalLM.from_pretrained(PACKED_DIR)

The import makes `quant_method: "btc"` known to transformers where that is installed. Without it:

    for name, weight in btc_llm.PackedModel(PACKED_DIR).linears(): ...   # NumPy, float32
    state = btc_llm.load_state_dict(PACKED_DIR)                          # PyTorch
"""

from __future__ import annotations

import importlib.util

from btc_llm.errors import FormatError
from btc_llm.packed_model import PackedModel

__version__ = "1.0.0"
__all__ = ["FormatError", "PackedModel", "dense_linears", "load_state_dict", "unpack_block"]


def load_state_dict(directory, dtype=None, verify=True):
    """The dense model as PyTorch tensors under the names of the source.

    `dtype` of the floats, default: that of the configuration, for all tensors alike. Tied heads
    are left out, as in the source. Raises FormatError for a file that is damaged.
    """
    from btc_llm.torch_weights import state_dict

    return state_dict(PackedModel(directory, verify=verify), dtype)


def unpack_block(directory, block, dtype=None, verify=True):
    """The same for the tensors of one block, 0 the first."""
    from btc_llm.torch_weights import block_state_dict

    return block_state_dict(PackedModel(directory, verify=verify), block, dtype)


def dense_linears(directory, dtype=None, verify=True):
    """Name and dense weight (PyTorch) of each Linear, decoded one at a time."""
    from btc_llm.torch_weights import linears

    return linears(PackedModel(directory, verify=verify), dtype)


if all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers")):
    from btc_llm.transformers_quantizer import register

    register()
