#!/usr/bin/env python3
"""Makes a tiny LLaMA model with random weights beside a byte-level tokenizer of tests/golden/tokenizers.

    make_model.py gpt2_like|llama3_like OUT

So that parity does not hang on the one tokenizer of examples/. `add_bos_token` contradicts the
post-processor of tokenizer.json, which decides; inputs longer than 256 ids are cut.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

GOLDEN = Path(__file__).resolve().parents[1] / "golden/tokenizers"
SETTINGS = {
    "gpt2_like": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "add_bos_token": True,
                  "tokenizer_class": "GPT2Tokenizer"},
    "llama3_like": {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>",
                    "add_bos_token": False, "tokenizer_class": "PreTrainedTokenizerFast"},
}


def main():
    name, out = sys.argv[1], Path(sys.argv[2])
    document = json.loads((GOLDEN / name / "tokenizer.json").read_text(encoding="utf-8"))
    ids = list(document["model"]["vocab"].values()) + [token["id"] for token in document["added_tokens"]]
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=max(ids) + 3, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256)).float()
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.25)
    model.save_pretrained(out)
    shutil.copy(GOLDEN / name / "tokenizer.json", out)
    (out / "tokenizer_config.json").write_text(json.dumps(SETTINGS[name]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
