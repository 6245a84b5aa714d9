"""The harness's own tasks over local files: only where the rows come from is changed.

Prompts, choices, targets, metrics and aggregation stay those of the installed `lm_eval/tasks`.
"""

import json
import sys
from pathlib import Path

# name -> (folder under lm_eval/tasks, file without its extension, split that the harness evaluates)
TASKS = {
    "winogrande": ("winogrande", "winogrande_xl_validation", "validation"),
    "openbookqa": ("openbookqa", "openbookqa_test", "test"),
    "hellaswag": ("hellaswag", "hellaswag_validation", "validation"),
    "boolq": ("super_glue/boolq", "boolq_validation", "validation"),
    "arc_easy": ("arc", "arc_easy_test", "test"),
    "arc_challenge": ("arc", "arc_challenge_test", "test"),
    "rte": ("glue/rte", "rte_validation", "validation"),
    "piqa": ("piqa", "piqa_validation", "validation"),
    "lambada_openai": ("lambada", "lambada_openai_test", "test"),
    "wikitext": ("wikitext", None, "test"),
}
SETS = {
    "btc7": ["winogrande", "openbookqa", "hellaswag", "boolq", "arc_easy", "arc_challenge", "rte"],
    "arb7": ["winogrande", "openbookqa", "hellaswag", "boolq", "arc_easy", "arc_challenge", "piqa"],
    "all": list(TASKS),
}
# Tasks whose answer is scored on one and the same suffix have no length to normalise by.
ONLY_ACC = {"winogrande"}


def tasks_of(names):
    """Task names of a comma separated list in which sets may stand, each once, in order."""
    out = []
    for name in names.split(","):
        if name not in SETS and name not in TASKS:
            raise SystemExit(f"unknown task {name!r}; known: {', '.join([*SETS, *TASKS])}")
        out += [task for task in SETS.get(name, [name]) if task not in out]
    return out


def read_rows(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def finished_hellaswag(dataset):
    """Takes the place of the harness's process_docs where rows have a finished `query`: cleaning
    such a text once more would take away every second of its spaces."""
    return dataset.map(lambda doc: {"query": doc["query"], "choices": doc["endings"],
                                    "gold": int(doc["label"])})


def lambada_row(row):
    return row if "text" in row else {"text": row["context"] + " " + row["continuation"]}


def wikitext_pages(raw):
    """Documents of wiki.test.raw: a line that is a heading of the first level begins the next one;
    what stands before the first and is only white space is none."""
    pages = [[]]
    for line in raw.split("\n"):
        flat = line.replace("= = =", "===").replace("= =", "==").strip()
        if flat.startswith("= ") and flat.endswith(" ="):
            pages.append([])
        pages[-1].append(line)
    pages = ["\n".join(page) for page in pages]
    return [page for page in pages if page.strip()]


def local_rows(task, data):
    """The rows of a task as the harness wants them. `data` holds zeroshot/ and wikitext2/."""
    if task == "wikitext":
        with open(data / "wikitext2/wiki.test.raw", encoding="utf-8", newline="") as file:
            raw = file.read()
        return [{"page": page} for page in wikitext_pages(raw)]
    rows = read_rows(data / "zeroshot" / f"{TASKS[task][1]}.jsonl")
    return [lambada_row(row) for row in rows] if task == "lambada_openai" else rows


def local_spec(name, path, rows):
    """What is said otherwise than in the harness's own description of the task."""
    split = TASKS[name][2]
    spec = {"task": name, "dataset_path": "json", "dataset_name": None,
            "dataset_kwargs": {"data_files": {split: str(path)}}, "training_split": None,
            "validation_split": None, "test_split": split, "fewshot_split": None}
    if name not in ("wikitext", "lambada_openai"):
        metrics = ["acc"] if name in ONLY_ACC else ["acc", "acc_norm", "acc_bytes"]
        spec["metric_list"] = [{"metric": metric, "aggregation": "mean", "higher_is_better": True}
                               for metric in metrics]
    if name == "hellaswag" and "query" in rows[0]:
        spec["process_docs"] = finished_hellaswag
    return spec


def build_tasks(names, data, work):
    """{name: task object of the harness}. Rows are written below `work` as JSONL first."""
    import lm_eval.tasks
    home = Path(lm_eval.tasks.__file__).parent
    folders = sorted({str(home / TASKS[name][0]) for name in names})
    manager = lm_eval.tasks.TaskManager(include_path=folders, include_defaults=False)
    work.mkdir(parents=True, exist_ok=True)
    specs = []
    for name in names:
        rows = local_rows(name, data)
        path = work / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        specs.append(local_spec(name, path, rows))
    # As members of a group, tasks keep their descriptions and take what the members say over them.
    tasks = manager.load([{"group": "local", "task": specs}])["tasks"]
    return {name: tasks[name] for name in names}


def spread_documents(task, count):
    """About `count` documents evenly over a task's file; fewer of wikitext, whose are long."""
    total = len(task.eval_docs)
    count = min(total, max(1, count // 15) if task.config.task == "wikitext" else count)
    return [i * total // count for i in range(count)]


if __name__ == "__main__":
    print(",".join(tasks_of(sys.argv[1])))
