"""Damaged, incomplete and foreign directories give one clear error."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from btc_llm import FormatError, PackedModel
from btc_llm.safetensors_file import SafetensorsFile

SHARD = "model-00001-of-00003.safetensors"
Q = "model.layers.0.self_attn.q_proj"


@pytest.fixture
def model(packed_models, tmp_path):
    """A copy to damage: codebook of each Linear, two groups, salient columns."""
    packed, _ = packed_models("codebook_of_each_linear")
    return shutil.copytree(packed, tmp_path / "model")


def seal(directory):
    """The manifest of the files as they are now, so that only their content is wrong."""
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    for entry in manifest["files"]:
        data = (directory / entry["name"]).read_bytes()
        entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    path.write_text(json.dumps(manifest))


def edit_json(path, change):
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def edit_config(directory, **fields):
    edit_json(directory / "config.json", lambda config: config["quantization_config"].update(fields))
    seal(directory)


def put(directory, tensor, place, data):
    """Overwrites bytes of a tensor of the first shard."""
    path = directory / SHARD
    begin = SafetensorsFile(path).at(tensor).begin + place
    content = bytearray(path.read_bytes())
    content[begin:begin + len(data)] = data
    path.write_bytes(content)
    seal(directory)
    return begin


def read_all(directory, **options):
    return dict(PackedModel(directory, **options).tensors())


def refused(directory, *texts):
    with pytest.raises(FormatError) as caught:
        read_all(directory)
    for text in texts:
        assert text in str(caught.value)


def test_the_copy_is_read_before_it_is_damaged(model):
    seal(model)
    read_all(model)
    PackedModel(model).check()


def test_a_flipped_byte_in_any_file_is_seen(model):
    for name in (SHARD, "model-00003-of-00003.safetensors", "config.json"):
        content = (model / name).read_bytes()
        flipped = bytearray(content)
        flipped[-2] ^= 1
        (model / name).write_bytes(flipped)
        refused(model, name, "SHA-256 is", "expected")
        (model / name).write_bytes(content)
    index = model / "model.safetensors.index.json"
    index.write_text(index.read_text().replace("00002", "00001", 1))
    with pytest.raises(FormatError, match="index.json: SHA-256"):
        PackedModel(model).check()


def test_without_verification_hashes_are_not_compared(model):
    path = model / "manifest.json"
    edit_json(path, lambda m: [entry.update(sha256="0" * 64) for entry in m["files"]])
    refused(model, "SHA-256")
    assert read_all(model, verify=False)


def test_a_missing_or_cut_shard_is_seen_before_anything_is_read(model):
    path = model / SHARD
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    refused(model, SHARD, f"got {len(content) - 1} bytes, expected {len(content)}")
    path.unlink()
    refused(model, SHARD, "missing")


def test_a_directory_without_manifest_is_not_complete(model):
    (model / "manifest.json").unlink()
    refused(model, "manifest.json", "not a complete packed model")


def test_a_model_that_is_not_packed_is_named_as_such(packed_models):
    _, dense = packed_models("codebook_of_each_linear")
    refused(dense, "not a complete packed model")


def test_other_versions_are_refused_and_later_minors_read(model):
    edit_config(model, format_version="1.7")
    read_all(model)
    edit_config(model, format_version="2.0")
    refused(model, 'quantization_config: version "2.0", expected 1.x')
    edit_config(model, format_version="1.0")
    edit_json(model / "manifest.json", lambda manifest: manifest.update(version="2.0"))
    refused(model, 'manifest.json: version "2.0", expected 1.x')


def test_a_shard_of_another_version_or_block_is_refused(model):
    path = model / SHARD
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"version":"1.0"', b'"version":"3.0"', 1))
    seal(model)
    refused(model, SHARD, 'version "3.0", expected 1.x')
    path.write_bytes(content.replace(b'"block":"0"', b'"block":"1"', 1))
    seal(model)
    refused(model, SHARD, "block 1, expected 0")


@pytest.mark.parametrize("fields, text", [
    ({"quant_method": "other"}, "quant_method: got 'other', expected one of btc"),
    ({"codec": "lattice"}, "codec: got 'lattice'"),
    ({"new_key": 1}, 'unknown key "new_key"'),
    ({"vector_length": 25}, "vector_length: got 25, expected 0..24"),
    ({"vector_length": True}, "vector_length: got True"),
    ({"codebook_size": 1025}, "codebook_size 1025, expected 1..1024"),
    ({"mean": 1}, "mean: got 1, expected one of False, True"),
    ({"group_map": "rice", "split_points": 2}, "a Rice-coded group map with 3 groups"),
    ({"scale_dtype": "I8"}, "8-bit scales without ratios"),
    ({"layout": "masked"}, "residual: got 'raw', expected one of coded"),
    ({"transform": {"dtype": "F32"}}, "transform: got"),
    ({"bits": {"nominal_bits": 1}}, "bits: sign_bits is missing"),
])
def test_settings_that_no_writer_makes_are_refused(model, fields, text):
    edit_config(model, **fields)
    refused(model, "config.json: quantization_config", text)


def test_json_is_read_strictly(model):
    path = model / "config.json"
    text = path.read_text()
    for broken, message in ((text + "]", "not JSON"), ("[" * 100000, "not JSON"),
                            (text.replace('"codec"', '"scope": "model", "codec"'), "occurs twice"),
                            ('"text"', "expected a JSON object"),
                            (text.replace("61", "NaN", 1), "NaN is not JSON")):
        path.write_text(broken)
        seal(model)
        refused(model, "config.json", message)


def test_a_file_outside_the_directory_is_not_read(model):
    edit_json(model / "manifest.json", lambda m: m["files"][0].update(name="../config.json"))
    refused(model, '"../config.json" is not the name of a file')


def test_damaged_values_name_tensor_and_byte(model):
    shard = (model / SHARD).read_bytes()
    for field, place, data, text in (
            ("alpha", 2, np.float16(np.inf).tobytes(), "value inf, expected a finite number"),
            ("codebook_size", 0, (1024).to_bytes(8, "little"), "1024 codewords, expected 1..50"),
            ("codebook_size", 0, (0).to_bytes(8, "little"), "0 codewords, expected 1..50"),
            ("weight_shape", 0, (-1).to_bytes(8, "little", signed=True), "two positive numbers"),
            ("salient_columns", 0, bytes(4), "no column is set"),
            ("indices", 0, b"\xff\xff", "expected < ")):
        begin = put(model, f"{Q}.{field}", place, data)
        refused(model, f"{SHARD}: {Q}.{field}, byte {begin}: ", text)
        (model / SHARD).write_bytes(shard)


def test_tensors_that_do_not_belong_are_refused(model):
    path = model / SHARD
    content = path.read_bytes()
    for old, new, text in ((b".indices", b".indicez", "is no tensor of this format"),
                           (b"q_proj.mu\"", b"q_proj.m2\"", "is no tensor of this format"),
                           (b"q_proj.indices", b"k_proj.indices", "occurs twice"),
                           (b'"F16"', b'"I16"', "dtype I16, expected one of")):
        path.write_bytes(content.replace(old, new, 1))
        seal(model)
        refused(model, SHARD, text)


def test_headers_that_lie_are_refused(model):
    path = model / SHARD
    content = path.read_bytes()
    for broken, text in ((b"\xff" * 8 + content[8:], "header length"),
                         (content[:4], "4 bytes, expected at least 8"),
                         (content[:8] + b"[" + content[9:], "not JSON"),
                         (content + b"\0", "1 bytes behind the last tensor"),
                         (content[:-1], "file cut short or header wrong")):
        path.write_bytes(broken)
        seal(model)
        refused(model, SHARD, text)


def test_every_cut_of_a_shard_is_refused(model):
    path = model / SHARD
    content = path.read_bytes()
    for length in range(0, len(content), 997):
        path.write_bytes(content[:length])
        seal(model)
        refused(model, SHARD)


def test_what_is_not_there_is_no_format_error(packed_models):
    packed, _ = packed_models("codebook_of_each_linear")
    model = PackedModel(packed)
    with pytest.raises(IndexError, match="block 2 of 2"):
        model.unpack_block(2)
    for name in ("lm_head", f"{Q}.weight", "model.layers.2.mlp.up_proj", "model.layers.x.mlp.up_proj"):
        with pytest.raises(KeyError, match="not a Linear of this model"):
            model.linear(name)
