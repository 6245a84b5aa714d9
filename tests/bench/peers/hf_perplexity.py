#!/usr/bin/env python3
"""Perplexity by `transformers` in fp32 on the CPU: the same text, windows and rule as ours.

    hf_perplexity.py --model DIR --text wiki.test.raw --window 512 [--threads 2]
                     [--batch-size 4] [--windows N]

Prints one JSON object. `seconds` is the time of the forward passes and losses: the model is
loaded and the text tokenized before.
"""

import argparse
import json
import math
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def joined_rows(path):
    """Rows of the file with a blank line between, blank rows empty."""
    with open(path, encoding="utf-8", newline="") as file:
        lines = file.read().split("\n")[:-1]
    return "\n\n".join(line + "\n" if line.strip() else "" for line in lines)


def window_losses(model, windows):
    """Mean negative log-likelihood of each window's ids but the first."""
    logits = model(windows, use_cache=False).logits
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), windows[:, 1:].flatten(), reduction="none")
    return losses.view(len(windows), -1).double().mean(dim=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--window", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--windows", type=int, help="only the first N windows")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(args.model, add_bos_token=True)
    ids = tokenizer.encode(joined_rows(args.text))
    count = len(ids) // args.window
    windows = torch.tensor(ids[:count * args.window]).view(count, args.window)[:args.windows]
    with torch.inference_mode():
        window_losses(model, windows[:args.batch_size])
        start = time.perf_counter()
        losses = torch.cat([window_losses(model, part) for part in windows.split(args.batch_size)])
        seconds = time.perf_counter() - start
    print(json.dumps({"seconds": round(seconds, 3), "tokens": windows.numel(),
                      "windows": len(windows), "batch_size": args.batch_size,
                      "perplexity": math.exp(losses.mean().item())}))


if __name__ == "__main__":
    main()
