"""compare_logits.py PROGRAM [MODEL...]: models are packed, exported, loaded by transformers and compared.

PROGRAM is `packed_logits`, which prints what our forward pass makes of a packed model. Every model
is loaded three ways: the fp32 export, the packed directory through btc_llm, and the exports of 16
bits, which only have to load, in their type, without a tensor too many or too few. Named models
alone where any is named.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers

import btc_llm  # registers the packed format
from packing import GOLDEN, SOURCE, Case, export, pack

TOLERANCE = 1e-3  # of a logit, in fp32
TRANSFORMS = {"random": "transform: {kind: random}\n",
              "learned": "transform: {kind: flatquant, epochs: 1, batch: 4}\n"}
SETTINGS = ("binarize: {split_points: 1}\n"
            "codebook: {vector_length: 8, target_bits: 0.7, scope: model}\n")
EXAMPLE = SOURCE / "examples" / "wiki-llama-7m"
COMPANIONS = ("tokenizer.model", "tokenizer.json", "tokenizer_config.json",
              "special_tokens_map.json", "generation_config.json")


def cases():
    """Every family with a random transform and with a learned one, and the example."""
    for name in GOLDEN:
        for kind, transform in TRANSFORMS.items():
            yield Case(f"{name}_{kind}", transform + SETTINGS, name)
    yield Case("wiki-llama-7m_random", TRANSFORMS["random"] + SETTINGS, str(EXAMPLE))
    yield Case("wiki-llama-7m_btc_0.8", "preset: btc_0.8\ntransform: {epochs: 1}\n", str(EXAMPLE))


def our_logits(program, packed, ids, folder):
    out = folder / "logits.safetensors"
    subprocess.run([program, str(packed), str(out), *map(str, ids.tolist())], check=True)
    file = btc_llm.safetensors_file.SafetensorsFile(out)
    return torch.from_numpy(file.values(file.at("logits")).copy())


def load(directory, dtype):
    """The model; a tensor too many or too few is an error."""
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        directory, dtype=dtype, output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        assert not info.get(kind), f"{directory}: {kind}: {info[kind]}"
    return model.eval()


def logits_of(model, ids):
    with torch.no_grad():
        return model(ids[None]).logits[0].float()


def check_companions(case, dense):
    """Tokenizer files are there as they were."""
    source = Path(case.model) if Path(case.model).is_absolute() else (
        SOURCE / "tests" / "golden" / "models" / case.model)
    for name in COMPANIONS:
        if (source / name).is_file():
            assert (dense / name).read_bytes() == (source / name).read_bytes(), name


def compare(case, program, folder):
    """The largest difference of the fp32 export and of btc_llm, in logits."""
    packed = pack(case, folder)
    dense = export(packed, folder)
    check_companions(case, dense)
    model = load(dense, "auto")
    assert {p.dtype for p in model.parameters()} == {torch.float32}, case.name
    ids = torch.randint(0, model.config.vocab_size, (48,),
                        generator=torch.Generator().manual_seed(1))
    expected = our_logits(program, packed, ids, folder)
    differences = [(logits_of(m, ids) - expected).abs().max().item()
                   for m in (model, load(packed, torch.float32))]
    for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16)):
        half = load(export(packed, folder, name), "auto")
        assert {p.dtype for p in half.parameters()} == {dtype}, f"{case.name}: {name}"
        assert torch.isfinite(logits_of(half, ids)).all(), f"{case.name}: {name}"
    return expected.std().item(), *differences


def main():
    program, *names = sys.argv[1:]
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    failed = 0
    print(f"transformers {transformers.__version__}; largest difference of a logit in fp32")
    print(f"{'model':30} {'spread':>8} {'export':>9} {'btc_llm':>9}")
    for case in (c for c in cases() if not names or c.name in names):
        with tempfile.TemporaryDirectory() as folder:
            spread, dense, packed = compare(case, program, Path(folder))
        wrong = not (dense < TOLERANCE and packed < TOLERANCE)
        failed += wrong
        print(f"{case.name:30} {spread:8.3f} {dense:9.2e} {packed:9.2e}"
              f"{'  above ' + str(TOLERANCE) if wrong else ''}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
