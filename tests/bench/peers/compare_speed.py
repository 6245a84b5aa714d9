#!/usr/bin/env python3
"""Speed of btc beside transformers and lm-eval's HFLM, on the same cores in the same run.

    compare_speed.py [perplexity|btc7|ranks ...] [--bin build/release/bin] [--threads 2]
                     [--model examples/wiki-llama-7m] [--data ../shared/data] [--rounds 3]
                     [--windows N] [--documents 200]

Run it with the Python of tests/parity/run.sh. Ours and the peer take turns; the best of the rounds
counts for each. Time of ours is that of the whole process, start and reading the model included;
that of a peer begins when its model is loaded and its imports are done. Fails if results differ.
    perplexity  the WikiText-2 test, or its first --windows              (wanted: at least 1)
    btc7        the first --documents of each task, 0: all               (wanted: at least 3)
    ranks       the same and perplexity: 2 ranks beside 1, a thread each (wanted: at least 1.7)
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]

def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", nargs="*", help="default: everything")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    parser.add_argument("--model", type=Path, default=ROOT / "examples/wiki-llama-7m")
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data")
    parser.add_argument("--work", type=Path, default=ROOT / "build/speed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--windows", type=int, help="of the text (default all)")
    parser.add_argument("--documents", type=int, default=200)
    args = parser.parse_args()
    args.window = json.loads((args.model / "config.json").read_text())["max_position_embeddings"]
    args.window = min(args.window, 2048)
    return args


def run(command, log):
    """Seconds of the whole process and its output; standard error goes to the log."""
    start = time.perf_counter()
    with open(log, "a", encoding="utf-8") as errors:
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                              stderr=errors, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed with exit code {done.returncode}, see {log}")
    return time.perf_counter() - start, done.stdout


def say(name, ours, peer, wanted):
    print(f"{name}: {ours:.2f} s beside {peer:.2f} s, ratio {peer / ours:.2f} (wanted {wanted}); "
          f"load {os.getloadavg()[0]:.1f}", flush=True)


def evaluate(args, name, what, ranks=1, threads=None):
    """Runs `btc evaluate`: (seconds of the process, its JSON)."""
    out = args.work / f"{name}.json"
    command = [args.bin / "btc", "evaluate", "--model", args.model, "--json", out, "--threads",
               threads or args.threads, *what]
    if ranks > 1:
        command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", ranks, *command]
    seconds, _ = run(command, args.work / "ours.log")
    return seconds, json.loads(out.read_text())


def text_options(args):
    return ["--ppl", args.data / "wikitext2/wiki.test.raw", "--window", args.window,
            *window_limit(args)]


def window_limit(args):
    return ["--windows", args.windows] if args.windows else []


def task_options(args, samples=None):
    folder = args.work / "tasks"
    folder.mkdir(exist_ok=True)
    for path in (args.data / "zeroshot").glob("*.jsonl"):
        link = folder / path.name
        if not link.exists():
            link.symlink_to(path.resolve())
    options = ["--tasks", "btc7", "--data", folder, "--add-bos", "false"]
    options += ["--limit", args.documents] if args.documents else []
    return options + (["--samples", samples] if samples else [])


def perplexity(args):
    peer_command = [sys.executable, HERE / "hf_perplexity.py", "--model", args.model, "--text",
                    args.data / "wikitext2/wiki.test.raw", "--window", args.window, "--threads",
                    args.threads, *window_limit(args), "--batch-size"]
    ours, peers = [], []
    for _ in range(args.rounds):
        seconds, result = evaluate(args, "perplexity", text_options(args))
        ours.append(seconds)
        for batch in (1, 4, 8):
            _, text = run([*peer_command, batch], args.work / "peer.log")
            peers.append(json.loads(text))
    best = min(peers, key=lambda peer: peer["seconds"])
    found = result["btc"]["perplexity"][0]["value"]
    print(f"perplexity {found:.6f} beside {best['perplexity']:.6f}, batch of the peer "
          f"{best['batch_size']}")
    if not math.isclose(found, best["perplexity"], rel_tol=1e-4):
        raise SystemExit("perplexity: the results differ")
    say("perplexity", min(ours), best["seconds"], 1)


def btc7(args):
    peer_command = [sys.executable, ROOT / "tests/parity/harness_scores.py", "--model", args.model,
                    "--data", args.data, "--tasks", "btc7", "--bos", "false", "--work", args.work,
                    "--threads", args.threads, *(["--limit", args.documents] if args.documents else [])]
    peers = {}
    for batch in (1, 4, 16, 64):
        out = args.work / f"harness-{batch}.jsonl"
        run([*peer_command, "--batch-size", batch, "--out", out], args.work / "peer.log")
        peers[batch] = json.loads(out.with_suffix(".summary.json").read_text())["seconds"]
        print(f"HFLM, batch {batch}: {peers[batch]:.1f} s", flush=True)
    samples = args.work / "ours.jsonl"
    ours = [evaluate(args, "ours.results", task_options(args, samples))[0]
            for _ in range(args.rounds)]
    best = min(peers, key=peers.get)
    _, text = run([sys.executable, ROOT / "tests/parity/compare.py",
                   args.work / f"harness-{best}.jsonl", samples], args.work / "peer.log")
    print(text.strip().split("\n")[-1])
    say("btc7", min(ours), peers[best], 3)


def ranks(args):
    for name, what in (("perplexity", text_options(args)), ("btc7", task_options(args))):
        seconds = {1: [], 2: []}
        for _ in range(args.rounds):
            for count in seconds:
                seconds[count].append(evaluate(args, f"ranks-{count}", what, count, 1)[0])
        say(f"2 ranks, {name}", min(seconds[2]), min(seconds[1]), 1.7)


def main():
    args = parse()
    known = {"perplexity": perplexity, "btc7": btc7, "ranks": ranks}
    unknown = set(args.what) - known.keys()
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    args.work.mkdir(parents=True, exist_ok=True)
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for what in args.what or known:
        known[what](args)


if __name__ == "__main__":
    main()
