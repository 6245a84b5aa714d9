#!/usr/bin/env python3
"""Scores local tasks with the harness's own code and `transformers` in fp32, on the CPU.

    harness_scores.py --model DIR --data ../shared/data --tasks btc7 --out OUT.jsonl
                      [--bos auto|true|false] [--limit N | --spread N] [--batch-size 16]
                      [--max-length N] [--threads 1] [--work DIR]

OUT.jsonl: one object per request, in the order of documents and choices:
    {"task", "doc", "choice", "loglik", "greedy"}
and OUT.summary.json: versions, settings, and per task the harness's metrics. Nothing is fetched.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TRANSFORMERS_OFFLINE="1",
                  TOKENIZERS_PARALLELISM="false", HF_DATASETS_DISABLE_PROGRESS_BARS="1")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--tasks", default="btc7")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--bos", choices=["auto", "true", "false"], default="auto",
                        help="BOS in front of each text; auto: as the tokenizer says")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--limit", type=int, help="the first N documents of each task")
    part.add_argument("--spread", type=int, help="N documents evenly over each task's file")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--max-length", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("build/parity"))
    return parser.parse_args()


def open_harness(args):
    """The harness's model object, which opens model and tokenizer by itself."""
    import torch
    from lm_eval.models.huggingface import HFLM
    torch.set_num_threads(args.threads)
    return HFLM(pretrained=str(args.model), dtype="float32", backend="causal", device="cpu",
                batch_size=args.batch_size, max_length=args.max_length,
                add_bos_token={"auto": None, "true": True, "false": False}[args.bos])


def adds_bos(model):
    return model.tok_encode("a")[0] == model.prefix_token_id


def check_ids(model, directory, samples):
    """Number of texts compared: the harness's ids of each are those of plain sentencepiece."""
    path = directory / "tokenizer.model"
    if not path.exists():
        return 0
    import sentencepiece
    plain = sentencepiece.SentencePieceProcessor(model_file=str(path))
    bos = [plain.bos_id()] if adds_bos(model) else []
    texts = {"".join(map(str, sample_args)) for sample in samples
             for sample_args in sample["arguments"]}
    for text in texts:
        if model.tok_encode(text) != bos + plain.encode(text):
            raise ValueError(f"transformers and sentencepiece disagree on {text!r}")
    return len(texts)


def requests_of(task, samples):
    """The harness's sample log as one object per request."""
    for sample in sorted(samples, key=lambda sample: sample["doc_id"]):
        for choice, answer in enumerate(sample["filtered_resps"]):
            pair = isinstance(answer, (list, tuple))
            yield {"task": task, "doc": sample["doc_id"], "choice": choice,
                   "loglik": float(answer[0] if pair else answer),
                   "greedy": answer[1] in (True, "True") if pair else None}


def metrics_of(results):
    keys = ("acc", "acc_norm", "acc_bytes", "perplexity", "word_perplexity", "byte_perplexity",
            "bits_per_byte", "acc_stderr", "acc_norm_stderr")
    return {key: results[f"{key},none"] for key in keys
            if isinstance(results.get(f"{key},none"), float)}


def main():
    args = parse()
    os.environ["HF_DATASETS_CACHE"] = str(args.work.resolve() / "datasets")
    import lm_eval
    import torch
    import transformers
    from local_tasks import build_tasks, spread_documents, tasks_of
    names = tasks_of(args.tasks)
    model = open_harness(args)
    tasks = build_tasks(names, args.data, args.work / "rows")
    chosen = args.spread and {name: spread_documents(task, args.spread)
                              for name, task in tasks.items()}
    started = time.perf_counter()
    found = lm_eval.simple_evaluate(model=model, tasks=list(tasks.values()), limit=args.limit,
                                    samples=chosen, num_fewshot=0, log_samples=True,
                                    bootstrap_iters=1000)
    seconds = time.perf_counter() - started
    summary = {"lm_eval": lm_eval.__version__, "transformers": transformers.__version__,
               "torch": torch.__version__, "dtype": "float32", "add_bos": args.bos,
               "bos_in_front": adds_bos(model),
               "max_length": model.max_length, "limit": args.limit, "seconds": round(seconds, 2),
               "batch_size": args.batch_size, "threads": args.threads, "tasks": {}}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    texts = 0
    with open(args.out, "w", encoding="utf-8") as out:
        for name in names:
            samples = found["samples"][name]
            texts += check_ids(model, args.model, samples)
            requests = list(requests_of(name, samples))
            out.writelines(json.dumps(request) + "\n" for request in requests)
            summary["tasks"][name] = {"documents": len(samples), "requests": len(requests),
                                      **metrics_of(found["results"][name])}
    summary["texts_checked_against_sentencepiece"] = texts
    args.out.with_suffix(".summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps(summary["tasks"], indent=1), file=sys.stderr)
    print(f"{args.out}: {seconds:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
