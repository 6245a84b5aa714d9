"""What is decoded here is what `btc export` writes."""

import numpy as np
import pytest

from btc_llm import PackedModel
from btc_llm.packed_model import LINEAR_FIELDS
from btc_llm.safetensors_file import SafetensorsFile
from packing import CASES


def dense_tensors(directory):
    tensors = {}
    for path in sorted(directory.glob("*.safetensors")):
        file = SafetensorsFile(path)
        tensors.update({name: file.values(tensor) for name, tensor in file.tensors.items()})
    return tensors


def ulps(a, b):
    """Distance of two float32 arrays in units of the last place."""
    def ordered(values):
        bits = values.view(np.int32).astype(np.int64)
        return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)

    return np.abs(ordered(a) - ordered(b))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_tensor(packed_models, case):
    packed, dense = packed_models(case.name)
    expected = dense_tensors(dense)
    model = PackedModel(packed)
    found = dict(model.tensors())
    assert found.keys() == expected.keys()
    for name, values in found.items():
        assert values.dtype == expected[name].dtype, name
        assert values.shape == expected[name].shape, name
        if model.format.transform and values.dtype == np.float32:
            # Sums in float64 have another order there; once rounded, that is seldom seen.
            assert ulps(values, expected[name]).max() <= 1, name
        else:
            np.testing.assert_array_equal(values, expected[name], err_msg=name)
            assert values.tobytes() == expected[name].tobytes(), name  # also the sign of 0


def test_the_cases_have_every_way_to_decode(packed_models):
    formats, fields = [], set()
    for case in CASES:
        model = PackedModel(packed_models(case.name)[0])
        formats.append(model.format)
        for block in range(model.blocks):
            fields |= {name.rpartition(".")[2] for name in model._shard(block).tensors}
    assert LINEAR_FIELDS <= fields
    for attribute, values in {
            "codec": {"none", "codebook", "linear_20_16", "uniform"},
            "scope": {"", "linear", "block", "model", "block_group"},
            "index_coding": {"", "fixed", "radix"}, "groups": {1, 2, 3, 4},
            "level_bits": {0, 2, 3, 4}, "masked": {False, True}, "mean": {False, True},
            "rice_group_map": {False, True}, "int8_scales": {False, True},
            "column_scale": {False, True}, "group_column_scale": {False, True},
            "group_ratio": {False, True}, "column_mean": {False, True}, "salient": {False, True},
            "salient_groups": {1, 2, 3}, "transform": {False, True}}.items():
        assert values <= {getattr(packed, attribute) for packed in formats}, attribute
