#!/usr/bin/env python3
"""Text by `transformers` on the CPU, greedy, with its KV cache.

    hf_generate.py --model DIR --prompt TEXT --tokens 200 [--dtype bfloat16] [--threads 2]

Prints one JSON object; `tokens_per_second` is the best of three runs, prompt included.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    dtype = getattr(torch, args.dtype)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype).eval()
    tokenizer = AutoTokenizer.from_pretrained(args.model, add_bos_token=True)
    inputs = tokenizer(args.prompt, return_tensors="pt")
    options = {"max_new_tokens": args.tokens, "min_new_tokens": args.tokens, "do_sample": False}
    best = float("inf")
    with torch.inference_mode():
        for _ in range(3):
            start = time.perf_counter()
            made = model.generate(**inputs, **options)
            best = min(best, time.perf_counter() - start)
    print(json.dumps({"tokens_per_second": round(args.tokens / best, 2), "dtype": args.dtype,
                      "prompt_tokens": inputs["input_ids"].shape[1],
                      "text": tokenizer.decode(made[0], skip_special_tokens=True)}))


if __name__ == "__main__":
    main()
