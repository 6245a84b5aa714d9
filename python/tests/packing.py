"""Packed models made by the pipeline for tests, and their dense export by `btc export`."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from toy_checkpoint import write_llama

SOURCE = Path(__file__).resolve().parents[2]
PRESETS = sorted(path.stem for path in (SOURCE / "configs" / "presets").glob("*.yaml"))
GOLDEN = sorted(path.name for path in (SOURCE / "tests" / "golden" / "models").iterdir())


def programs() -> Path | None:
    """Folder of `btc` and `btc_pipeline`: BTC_BIN, or that of the dev build."""
    folder = Path(os.environ.get("BTC_BIN", SOURCE / "build" / "dev" / "bin"))
    return folder if (folder / "btc").is_file() and (folder / "btc_pipeline").is_file() else None


@dataclass(frozen=True)
class Case:
    """What is packed, and how."""

    name: str
    settings: str  # lines of YAML
    model: str = ""  # of tests/golden/models; empty: a toy
    toy: dict = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return self.name


def _run(*command: str | Path) -> None:
    """Open MPI starts in the process itself; what failed is printed."""
    environment = os.environ | {"OMPI_ALLOW_RUN_AS_ROOT": "1",
                                "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=300, env=environment, check=False)
    assert done.returncode == 0, f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"


def pack(case: Case, folder: Path) -> Path:
    """The packed model of a case."""
    source = SOURCE / "tests" / "golden" / "models" / case.model
    if not case.model:
        source = write_llama(folder / "source", **case.toy)
    config = folder / "config.yaml"
    config.write_text(f"run: {{dir: {folder / 'run'}, seed: 42}}\n"
                      f"model: {{path: {source}}}\n"
                      "calibration: {source: self, samples: 8, window: 32}\n"
                      "compute: {backend: cpu, threads_per_rank: 1}\n"
                      "evaluate: {perplexity: []}\n" + case.settings)
    _run(programs() / "btc_pipeline", "--config", config)
    return folder / "run" / "model"


def export(packed: Path, folder: Path, dtype: str = "fp32") -> Path:
    """Its dense weights, as the program computes them."""
    out = folder / f"dense-{dtype}"
    _run(programs() / "btc", "export", "--model", packed, "--out", out, "--dtype", dtype)
    return out


_SETS = "{split_points: 2, split_rule: search, compensation: block, panel: 24%s}"

CASES = [Case(f"preset_{name}", f"preset: {name}\n", GOLDEN[k % len(GOLDEN)])
         for k, name in enumerate(PRESETS)] + [
    Case("codebook_of_each_linear",
         "binarize: {split_points: 1, split_rule: ratio2, salient: fraction, "
         "salient_fraction: 0.1, compensation: exact}\n"
         "codebook: {vector_length: 10, centroids: 50, scope: linear}\n"),
    Case("codebook_of_each_block_in_fixed_indices",
         "binarize: {split_points: 0, salient: none, compensation: none}\n"
         "codebook: {vector_length: 12, target_bits: 0.5, scope: block}\n", "qwen3"),
    Case("codebook_of_each_panel",
         "binarize: {split_points: 1, panel: 24}\n"
         "codebook: {vector_length: 8, target_bits: 0.6, scope: block_group}\n"),
    Case("longest_sub_vectors_in_radix_groups",
         "binarize: {split_points: 1}\ncodebook: {vector_length: 24, target_bits: 0.8}\n"),
    Case("sets", f"binarize: {_SETS % ''}\n"
         "codebook: {vector_length: 8, target_bits: 0.6, layout: masked, assignment: hamming, "
         "encode: post}\n"),
    Case("sets_with_salient_groups_and_their_own_codebooks",
         f"binarize: {_SETS % ', salient_groups: true'}\n"
         "codebook: {vector_length: 8, target_bits: 0.6, layout: masked, scope: block_group, "
         "assignment: hamming, encode: post}\n"),
    Case("sets_of_one_group",
         "binarize: {split_points: 0, panel: 24}\n"
         "codebook: {vector_length: 7, target_bits: 0.6, layout: masked, assignment: hamming, "
         "encode: post}\n"),
    Case("no_codec", "binarize: {split_points: 3, split_rule: magnitude, panel: 32}\n"
         "codebook: none\n", "mistral"),
    Case("linear_code", "binarize: {split_points: 1, salient: fraction, salient_fraction: 0.1}\n"
         "codebook: {codec: linear_20_16, vector_length: 20}\n"),
    Case("ratios_of_groups", "binarize: {split_points: 2, split_rule: magnitude, "
         "scales: row_ratio, panel: 16}\ncodebook: {vector_length: 4, target_bits: 0.8}\n"),
    Case("sparse_map_in_one_stream",
         "binarize: {split_points: 1, split_rule: fraction, group_fractions: [0.05], "
         "scales: row_ratio_i8, salient: none}\n"
         "codebook: {vector_length: 8, target_bits: 0.7, scope: model}\n"),
    Case("sparse_map_of_long_rows",
         "binarize: {split_points: 1, split_rule: fraction, group_fractions: [0.05], "
         "scales: row, salient: none}\n"
         "codebook: {vector_length: 8, target_bits: 0.7, scope: model}\n",
         toy={"intermediate": 2112}),
    Case("column_scales_of_each_group",
         "binarize: {method: arb_rc, split_points: 2, split_rule: search, salient_groups: true, "
         "panel: 24}\n"
         "codebook: none\n"),
    Case("given_scales", "binarize: {scales: given, split_points: 0, salient: none}\n"
         "codebook: {vector_length: 8, target_bits: 0.6}\n", toy={"binary": True}),
    Case("uniform_levels", "binarize: {uniform: gptq, uniform_bits: 3, split_points: 0, "
         "salient: none, panel: 24}\ncodebook: none\n"),
    Case("random_transform", "transform: {kind: random}\n"
         "codebook: {vector_length: 8, target_bits: 0.7}\n", "qwen2_tied"),
    Case("learned_transform", "transform: {kind: flatquant, epochs: 1, batch: 3}\n"
         "binarize: {split_points: 1}\n"
         "codebook: {vector_length: 8, target_bits: 0.7, scope: model}\n"
         "refine: {block_epochs: 1, batch: 4}\n", "llama_untied_bias"),
]
