#!/usr/bin/env python3
"""Tokens per second of `btc generate` and of `transformers` (bf16) on the same cores, one after the
other in turns; exit code 1 if `btc generate` is slower.

Needs torch and transformers in the Python that runs it:
    python tests/bench/generate_speed.py --btc build/release/bin/btc --model examples/wiki-llama-7m
`--packed DIR` measures a packed model too.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time

PROMPT = "The tower was built in the"


def btc_speed(program, model, tokens, threads):
    """Tokens per second of the steps after the prompt, as the program reports them."""
    command = [program, "generate", "--model", model, "--prompt", PROMPT, "--temperature", "1",
               "--top-p", "1", "--max-tokens", str(tokens), "--threads", str(threads)]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    return float(re.search(r"^generation .* s, ([0-9.]+) tokens/s", report, re.MULTILINE).group(1))


class Transformers:
    """The same model in bf16, sampling with a key/value cache."""

    def __init__(self, model, threads):
        import torch
        import transformers

        torch.set_num_threads(threads)
        self.torch = torch
        self.version = transformers.__version__
        self.model = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16)
        self.model.eval()

    def speed(self, tokens):
        """Tokens per second; the prompt is one BOS, so its share of the time is one step."""
        ids = self.torch.tensor([[self.model.config.bos_token_id]])
        with self.torch.inference_mode():
            start = time.perf_counter()
            out = self.model.generate(ids, attention_mask=self.torch.ones_like(ids), do_sample=True,
                                      min_new_tokens=tokens, max_new_tokens=tokens, pad_token_id=0)
            seconds = time.perf_counter() - start
        return (out.shape[1] - 1) / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--btc", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--packed", action="append", default=[])
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    peer = Transformers(options.model, options.threads)
    peer.speed(8)
    subjects = {f"btc generate {model}": (lambda model=model: btc_speed(
        options.btc, model, options.tokens, options.threads))
        for model in [options.model] + options.packed}
    subjects[f"transformers {peer.version} bf16"] = lambda: peer.speed(options.tokens)
    speeds = {name: [] for name in subjects}
    for _ in range(options.rounds):
        for name, measure in subjects.items():
            speeds[name].append(measure())
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    for name, median in medians.items():
        print(f"{median:10.1f} tokens/s  {name}  ({options.threads} threads, median of "
              f"{options.rounds}, {options.tokens} tokens)")
    *ours, theirs = medians.values()
    return 0 if min(ours) >= theirs else 1


if __name__ == "__main__":
    sys.exit(main())
