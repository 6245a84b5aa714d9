"""Small random Hugging Face checkpoints, written with NumPy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

_DTYPES = {"float32": "F32", "float16": "F16", "uint8": "U8", "int64": "I64"}


def write_safetensors(path: Path, tensors: dict[str, np.ndarray],
                      metadata: dict[str, str] | None = None) -> None:
    header: dict = {"__metadata__": metadata or {"format": "pt"}}
    position = 0
    for name, values in tensors.items():
        header[name] = {"dtype": _DTYPES[values.dtype.name], "shape": list(values.shape),
                        "data_offsets": [position, position + values.nbytes]}
        position += values.nbytes
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text +
                     b"".join(values.tobytes() for values in tensors.values()))


def write_llama(directory: Path, hidden: int = 32, intermediate: int = 86, heads: int = 4,
                kv_heads: int = 2, head_dim: int = 8, binary: bool = False) -> Path:
    """Two blocks of a llama in fp32.

    binary  Linears are latent weights that stand for wscale[j] * sign(latent) + wbias[j]
    """
    rng = np.random.default_rng(hidden + intermediate)
    directory.mkdir(parents=True)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden,
              "intermediate_size": intermediate, "num_hidden_layers": 2,
              "num_attention_heads": heads, "num_key_value_heads": kv_heads, "head_dim": head_dim,
              "vocab_size": 61, "max_position_embeddings": 64, "tie_word_embeddings": False,
              "bos_token_id": 1, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
              "hidden_act": "silu", "torch_dtype": "float32"}
    (directory / "config.json").write_text(json.dumps(config))

    def normal(*shape: int) -> np.ndarray:
        values = rng.normal(0, shape[-1] ** -0.5, shape).astype(np.float32)
        values[..., ::11] *= 4  # something is salient
        return values

    def norm() -> np.ndarray:
        return rng.normal(1, 0.1, hidden).astype(np.float32)

    tensors = {"model.embed_tokens.weight": normal(61, hidden), "model.norm.weight": norm(),
               "lm_head.weight": normal(61, hidden)}
    for block in range(2):
        prefix = f"model.layers.{block}."
        tensors[prefix + "input_layernorm.weight"] = norm()
        tensors[prefix + "post_attention_layernorm.weight"] = norm()
        for name, rows, cols in (("self_attn.q_proj", heads * head_dim, hidden),
                                 ("self_attn.k_proj", kv_heads * head_dim, hidden),
                                 ("self_attn.v_proj", kv_heads * head_dim, hidden),
                                 ("self_attn.o_proj", hidden, heads * head_dim),
                                 ("mlp.gate_proj", intermediate, hidden),
                                 ("mlp.up_proj", intermediate, hidden),
                                 ("mlp.down_proj", hidden, intermediate)):
            tensors[f"{prefix}{name}.weight"] = normal(rows, cols)
            if binary:
                tensors[f"{prefix}{name}.wscale"] = np.abs(normal(cols)) + np.float32(0.1)
                tensors[f"{prefix}{name}.wbias"] = normal(cols) * np.float32(0.1)
    write_safetensors(directory / "model.safetensors", tensors)
    return directory
