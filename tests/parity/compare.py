#!/usr/bin/env python3
"""Compares the scores of two programs request by request.

    compare.py HARNESS.jsonl OURS.jsonl [--tolerance 1e-3]

Both files hold the same requests, one object each: task, doc, choice, loglik and greedy. Beside them
lie HARNESS.summary.json of harness_scores.py and OURS.results.json of `btc evaluate`. Passes if each
log-likelihood is within the tolerance (in nats; a text of many windows may miss by that much per
2,000 nats, because the harness adds up windows in fp32), equally greedy, and every metric that both
report is equal: accuracies and their standard errors to 1e-9, perplexities to 1e-5.
"""

import argparse
import json
import sys
from pathlib import Path

ROLLING = "wikitext"
NATS_OF_A_WINDOW = 2000.0
PERPLEXITIES = ("perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte")
ACCURACIES = ("acc", "acc_norm", "acc_bytes")
ERRORS = ("acc_stderr", "acc_norm_stderr")


def read_scores(path):
    """{task: {(document, choice): (log-likelihood, greedy)}}. The windows of a rolling text, which
    we list one by one and the harness does not, are added up as one choice."""
    tasks = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            scores = tasks.setdefault(row["task"], {})
            if row["task"] == ROLLING:
                before = scores.get((row["doc"], 0), (0.0, None))[0]
                scores[row["doc"], 0] = (before + row["loglik"], None)
                continue
            key = (row["doc"], row["choice"])
            if key in scores:
                raise SystemExit(f"{path}: {row['task']} {key} occurs twice")
            scores[key] = (row["loglik"], row["greedy"])
    return tasks


def compare_requests(task, theirs, ours, tolerance):
    """Prints one line; true if every request agrees."""
    if theirs.keys() != ours.keys():
        missing, more = len(theirs.keys() - ours.keys()), len(ours.keys() - theirs.keys())
        print(f"{task}: {missing} requests are missing, {more} are unknown to the harness")
        return False
    worst, wrong, other_greedy = 0.0, 0, 0
    for key, (expected, greedy) in theirs.items():
        found, found_greedy = ours[key]
        difference = abs(found - expected)
        allowed = tolerance * max(1.0, abs(expected) / NATS_OF_A_WINDOW)
        worst = max(worst, difference)
        if not difference <= allowed:
            wrong += 1
            if wrong <= 3:
                print(f"  {task} document {key[0]} choice {key[1]}: {expected} there, {found} here")
        other_greedy += greedy != found_greedy
    print(f"{task}: {len(theirs)} requests, largest difference {worst:.2e} nats, {wrong} outside "
          f"the tolerance, {other_greedy} not equally greedy")
    return wrong == 0 and other_greedy == 0


def compare_metrics(task, theirs, ours):
    good = True
    compared = []
    for metric in ACCURACIES + ERRORS + PERPLEXITIES:
        found = ours.get(f"{metric},none")
        if metric not in theirs or found is None:
            continue
        slack = 1e-5 * abs(theirs[metric]) if metric in PERPLEXITIES else 1e-9
        compared.append(f"{metric} {found:.6g}")
        if not abs(found - theirs[metric]) <= slack:
            print(f"  {task} {metric}: {theirs[metric]} there, {found} here")
            good = False
    print(f"  {', '.join(compared) or 'no metric in common'}: {'equal' if good else 'NOT EQUAL'}")
    return good and bool(compared)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("harness", type=Path)
    parser.add_argument("ours", type=Path)
    parser.add_argument("--tolerance", type=float, default=1e-3)
    args = parser.parse_args()
    theirs, ours = read_scores(args.harness), read_scores(args.ours)
    their_metrics = json.loads(args.harness.with_suffix(".summary.json").read_text())["tasks"]
    our_metrics = json.loads(args.ours.with_suffix(".results.json").read_text())["results"]
    good = theirs.keys() == ours.keys()
    if not good:
        print(f"tasks there: {', '.join(theirs)}; here: {', '.join(ours)}")
    for task in filter(ours.get, theirs):
        good &= compare_requests(task, theirs[task], ours[task], args.tolerance)
        good &= compare_metrics(task, their_metrics[task], our_metrics.get(task, {}))
    print("parity holds" if good else "PARITY FAILED")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
