#!/usr/bin/env python3
"""Checks the structure that no compiler checks; prints every violation, exit code 1 if there is one.

* An include points only to the modules that the table allows; so do the MODULES of a CMakeLists.txt.
* Headers of a foreign library stay in the modules that own it, and there out of headers.
* No `#if` or `#ifdef` outside cuda/: variants are files, chosen by CMake.
* No file of more than 600 lines, no folder with a name that says nothing.
* The table itself has no cycle.
"""

import argparse
import pathlib
import re
import sys

# Module -> the modules it may include. docs/architecture.md shows the same table.
LAYERS = {
    "common": "",
    "comm": "common",
    "backend": "common",
    "report": "common",
    "io": "common comm",
    "cuda": "common comm backend",
    "quant": "common backend",
    "tokenizer": "common io",
    "model": "common io",
    "refine": "common backend quant model",
    "learn": "common quant model refine",
    "pack": "common io quant model",
    "calibration": "common comm io tokenizer",
    "eval": "common backend report io quant tokenizer model pack",
    "generate": "common backend io quant tokenizer model pack",
    "inspect": "common backend report io quant model pack generate",
    "config": "common backend quant learn refine calibration pack eval",
    "pipeline": "common comm backend report io quant tokenizer model learn refine pack calibration eval config",
    "app": "common comm backend config model pipeline",
    "tools": "common comm backend report io quant tokenizer model learn refine pack calibration eval generate inspect "
             "config pipeline",
}

# Start of an include -> the modules that may have it, in .cpp files only.
FOREIGN = {
    "spdlog/": "common",
    "openssl/": "common",
    "xxhash.h": "common",
    "mpi.h": "comm io cuda",  # io: the MPI-IO driver of HDF5 takes a communicator
    "tbb/": "backend",
    "Eigen/": "backend quant learn",
    "hdf5": "io",
    "torch/": "model learn",
    "ATen/": "model learn",
    "c10/": "model learn",
    "sentencepiece": "tokenizer",
    "pcre2": "tokenizer",
    "utf8proc": "tokenizer",
    "yaml-cpp/": "config",
    "CLI/": "app tools",
    "cuda": "cuda",
    "cublas": "cuda",
    "cusolver": "cuda",
    "nvtx3/": "cuda",
    "nccl": "cuda",
}
# Headers that exist to wrap a foreign library for the .cpp files of their own module.
WRAPPERS = {"src/comm/mpi_check.hpp", "src/io/hdf5_handle.hpp"}

MAX_LINES = 600
EMPTY_NAMES = {"utils", "util", "helpers", "misc"}
SOURCE_SUFFIXES = {".cpp", ".hpp", ".cu", ".cuh", ".h"}
CODE_FOLDERS = ("src", "cuda", "tools", "tests")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
CONDITION = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif|else)\b")
MODULE_LIST = re.compile(r"btc_add_module\((\w+)(.*?)\)", re.DOTALL)


def allowed(module):
    return set(LAYERS[module].split()) | {module}


def cycle_of(layers):
    """The modules of one cycle, or None."""
    state = {}

    def visit(module, path):
        if state.get(module) == "done":
            return None
        if module in path:
            return path[path.index(module):] + [module]
        for below in layers[module].split():
            found = visit(below, path + [module])
            if found:
                return found
        state[module] = "done"
        return None

    for module in layers:
        found = visit(module, [])
        if found:
            return found
    return None


def module_of(path):
    """`src/quant/x.cpp` -> quant, `cuda/x.cu` -> cuda, `tools/btc/x.cpp` -> tools, tests -> None."""
    if path.parts[0] == "src":
        return path.parts[1] if len(path.parts) > 2 else None
    return path.parts[0] if path.parts[0] in ("cuda", "tools") else None


def check_include(path, module, own, foreign):
    """Problem with one include of a file of `module`, or None."""
    if own is not None:
        target = own.split("/")[0]
        if "/" in own and target in LAYERS and target not in allowed(module):
            return f"{module} may not include {target} ({own}); allowed: {LAYERS[module] or 'nothing'}"
        return None
    for start, owners in FOREIGN.items():
        if not foreign.startswith(start):
            continue
        if module not in owners.split():
            return f"<{foreign}> belongs to {owners}, not to {module}"
        if path.suffix == ".hpp" and module not in ("app", "tools") and str(path) not in WRAPPERS:
            return f"<{foreign}> in a header; foreign headers stay in .cpp files"
    return None


def check_source(path, text):
    """Yields (line, problem)."""
    module = module_of(path)
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        yield len(lines), f"{len(lines)} lines, at most {MAX_LINES} are allowed"
    for number, line in enumerate(lines, 1):
        if CONDITION.match(line) and path.parts[0] != "cuda":
            yield number, "conditional code is allowed only in cuda/"
        include = INCLUDE.match(line)
        if include and module in LAYERS:
            problem = check_include(path, module, include.group(1), include.group(2))
            if problem:
                yield number, problem


def check_cmake(path, text):
    for name, arguments in MODULE_LIST.findall(text):
        if name not in LAYERS:
            yield 1, f"module {name} is not in the table of tools/check_layers.py"
            continue
        modules = re.search(r"\bMODULES\b([^()]*?)(?:\bLIBRARIES\b|\bSOURCES\b|$)", arguments)
        for linked in modules.group(1).split() if modules else []:
            if linked not in allowed(name):
                yield 1, f"{name} may not link {linked}; allowed: {LAYERS[name] or 'nothing'}"


def check_tree(root):
    """Every problem of a source tree as `file:line: text`."""
    problems = []
    cycle = cycle_of(LAYERS)
    if cycle:
        problems.append("tools/check_layers.py:1: the table has a cycle: " + " -> ".join(cycle))
    for folder in CODE_FOLDERS:
        for full in sorted((root / folder).rglob("*")):
            path = full.relative_to(root)
            found = []
            if full.is_dir():
                if full.name in EMPTY_NAMES:
                    found = [(1, f"a folder named {full.name} says nothing about what is in it")]
            elif full.suffix in SOURCE_SUFFIXES:
                found = check_source(path, full.read_text(encoding="utf-8"))
            elif full.name == "CMakeLists.txt":
                found = check_cmake(path, full.read_text(encoding="utf-8"))
            problems += [f"{path}:{line}: {text}" for line, text in found]
            if path.parts[0] == "src" and full.is_dir() and len(path.parts) == 2:
                if path.parts[1] not in LAYERS:
                    problems.append(f"{path}:1: module is not in the table")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent)
    problems = check_tree(parser.parse_args().root)
    print("\n".join(problems) if problems else "layers: nothing to report")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
