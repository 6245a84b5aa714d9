#!/usr/bin/env python3
"""Puts recorded scores of harness_scores.py in one file for the default run of the tests.

    make_golden.py --model examples/wiki-llama-7m --out GOLDEN.json SCORES.jsonl ...

Log-likelihoods are written with four decimals, a twentieth of the tolerance of the comparison; of
the texts only the numbers of the documents are kept.
"""

import argparse
import hashlib
import json
from pathlib import Path


def documents_of(path):
    """{task: {document: [[log-likelihood, greedy] of each choice]}}"""
    tasks = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            answers = tasks.setdefault(row["task"], {}).setdefault(row["doc"], [])
            if row["choice"] != len(answers):
                raise SystemExit(f"{path}: choices are not in order")
            answers.append((row["loglik"], row["greedy"]))
    return tasks


def run_of(path):
    summary = json.loads(path.with_suffix(".summary.json").read_text())
    tasks = {}
    for task, documents in documents_of(path).items():
        metrics = {key: value for key, value in summary["tasks"][task].items()
                   if key not in ("documents", "requests") and not key.endswith("_stderr")}
        tasks[task] = {
            "documents": list(documents),
            "log_likelihood": [[round(score, 4) for score, _ in answers]
                               for answers in documents.values()],
            "greedy": ["".join("01"[bool(greedy)] for _, greedy in answers)
                       for answers in documents.values()],
            "metrics": metrics}
    run = {key: summary[key] for key in ("add_bos", "bos_in_front", "max_length")}
    versions = {key: summary[key] for key in ("lm_eval", "transformers", "torch", "dtype")}
    return {**run, "tasks": tasks}, versions


def dump(golden):
    """JSON with one line per task."""
    runs = []
    for run in golden["runs"]:
        tasks = [f"{json.dumps(name)}: {json.dumps(task)}" for name, task in run["tasks"].items()]
        head = json.dumps({key: value for key, value in run.items() if key != "tasks"})
        runs.append(head[:-1] + ', "tasks": {\n' + ",\n".join(tasks) + "\n}}")
    head = json.dumps({key: value for key, value in golden.items() if key != "runs"}, indent=1)
    return head.removesuffix("\n}") + ',\n "runs": [\n' + ",\n".join(runs) + "\n]}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("scores", type=Path, nargs="+")
    args = parser.parse_args()
    runs, versions = zip(*(run_of(path) for path in args.scores))
    if any(version != versions[0] for version in versions):
        raise SystemExit("the runs were made with different versions")
    weights = hashlib.sha256((args.model / "model.safetensors").read_bytes()).hexdigest()
    golden = {"made_by": "tests/parity/run.sh --record", "model": str(args.model),
              "weights_sha256": weights, "made_with": versions[0], "runs": runs}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(dump(golden), encoding="utf-8")
    print(f"{args.out}: {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
