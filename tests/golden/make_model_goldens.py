#!/usr/bin/env python3
"""Makes tests/golden/models: tiny random checkpoints with the fp32 logits of `transformers`.

    python3 -m venv VENV
    VENV/bin/pip install torch==2.11.0 transformers==4.57.1 safetensors==0.6.2 numpy==2.2.6
    VENV/bin/python tests/golden/make_model_goldens.py tests/golden/models

Each folder is a Hugging Face directory (config.json, model.safetensors, or shards with an index)
plus golden.safetensors: `ids` [T] and `logits` [T, vocab], computed in fp32 from the stored weights.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM,
                          Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

TOKENS = 24
SIZES = {"num_hidden_layers": 2, "max_position_embeddings": 64}
LLAMA3 = {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 16}

# name -> (class, config, dtype of the stored weights, bytes per shard)
MODELS = {
    "llama_gqa_llama3": (LlamaForCausalLM, LlamaConfig(
        vocab_size=61, hidden_size=48, intermediate_size=72, num_attention_heads=6,
        num_key_value_heads=2, rope_theta=500.0, rope_scaling=LLAMA3, rms_norm_eps=1e-5,
        **SIZES), torch.bfloat16, "5GB"),
    "llama_untied_bias": (LlamaForCausalLM, LlamaConfig(
        vocab_size=53, hidden_size=40, intermediate_size=52, num_attention_heads=4,
        num_key_value_heads=4, attention_bias=True, mlp_bias=True, **SIZES),
        torch.float32, "20KB"),
    "mistral": (MistralForCausalLM, MistralConfig(
        vocab_size=59, hidden_size=32, intermediate_size=88, num_attention_heads=4,
        num_key_value_heads=2, head_dim=12, sliding_window=None, rope_theta=1e6, **SIZES),
        torch.float16, "5GB"),
    "qwen2_tied": (Qwen2ForCausalLM, Qwen2Config(
        vocab_size=67, hidden_size=56, intermediate_size=60, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True, **SIZES), torch.bfloat16, "5GB"),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(
        vocab_size=71, hidden_size=36, intermediate_size=68, num_attention_heads=5,
        num_key_value_heads=1, head_dim=16, tie_word_embeddings=False, **SIZES),
        torch.bfloat16, "5GB"),
}


def make(name, folder):
    cls, config, dtype, shard_size = MODELS[name]
    torch.manual_seed(sum(name.encode()))
    model = cls(config)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            # Norms near 1; everything else large enough that no part of the model is negligible.
            scale = 0.3 if "norm" in parameter_name or "bias" in parameter_name else 0.2
            parameter.copy_(torch.randn_like(parameter) * scale)
            if "norm" in parameter_name:
                parameter.add_(1.0)
    model = model.to(dtype)
    model.save_pretrained(folder, max_shard_size=shard_size)
    (folder / "generation_config.json").unlink(missing_ok=True)
    model = cls.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    ids = torch.randint(0, config.vocab_size, (TOKENS,))
    with torch.no_grad():
        logits = model(ids[None]).logits[0]
    save_file({"ids": ids.to(torch.int32), "logits": logits.contiguous()},
              folder / "golden.safetensors")
    print(name, json.dumps({"std": round(logits.std().item(), 3)}))


def main():
    for name in MODELS:
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        make(name, folder)


if __name__ == "__main__":
    main()
