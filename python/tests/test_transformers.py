"""The PyTorch surface, and `from_pretrained` of a packed directory after `import btc_llm`."""

import shutil

import numpy as np
import pytest

import btc_llm
from test_equal_to_export import dense_tensors

torch = pytest.importorskip("torch")
# One case for each family, with and without transform, tied head, biases.
MODELS = ["preset_btc_0.8", "preset_gptq_3", "codebook_of_each_block_in_fixed_indices", "no_codec",
          "random_transform", "learned_transform", "sparse_map_of_long_rows"]


def names_of(packed):
    return {name for name, _ in btc_llm.PackedModel(packed).tensors()}


def test_state_dict_is_the_dense_model(packed_models):
    packed, dense = packed_models("learned_transform")
    expected = dense_tensors(dense)
    state = btc_llm.load_state_dict(packed, dtype=torch.float32)
    assert state.keys() == expected.keys()
    for name, tensor in state.items():
        assert tensor.dtype == torch.float32, name
        np.testing.assert_allclose(tensor.numpy(), expected[name].astype(np.float32), rtol=2e-7,
                                   atol=1e-12, err_msg=name)


def test_state_dict_has_the_type_of_the_configuration_unless_told(packed_models):
    packed, _ = packed_models("random_transform")  # bf16
    assert {t.dtype for t in btc_llm.load_state_dict(packed).values()} == {torch.bfloat16}
    halves = btc_llm.load_state_dict(packed, dtype=torch.float16)
    assert {t.dtype for t in halves.values()} == {torch.float16}


def test_blocks_and_linears_are_parts_of_the_state_dict(packed_models):
    packed, _ = packed_models("random_transform")
    state = btc_llm.load_state_dict(packed)
    parts = {}
    for block in range(2):
        parts.update(btc_llm.unpack_block(packed, block))
    assert len(parts) == len([name for name in state if ".layers." in name])
    linears = dict(btc_llm.dense_linears(packed))
    assert len(linears) == 14
    for name, tensor in {**parts, **linears}.items():
        assert torch.equal(tensor, state[name]), name


def test_bf16_tensors_keep_their_bits(packed_models):
    packed, _ = packed_models("random_transform")
    name = "model.embed_tokens.weight"
    values = btc_llm.PackedModel(packed).outer()[name]
    assert torch.equal(btc_llm.load_state_dict(packed)[name].float(), torch.from_numpy(values))


class TestFromPretrained:
    transformers = pytest.importorskip("transformers") if torch else None

    def load(self, directory, **options):
        return self.transformers.AutoModelForCausalLM.from_pretrained(directory, **options)

    def logits(self, model):
        ids = torch.arange(3, 27).reshape(1, 24)
        with torch.no_grad():
            return model(ids).logits

    @pytest.mark.parametrize("name", MODELS)
    def test_gives_the_logits_of_the_export(self, packed_models, name):
        packed, dense = packed_models(name)
        model = self.load(packed, dtype=torch.float32)
        expected = self.load(dense, dtype=torch.float32)
        assert {p.dtype for p in model.parameters()} == {torch.float32}
        for (parameter, value), reference in zip(model.named_parameters(), expected.parameters()):
            torch.testing.assert_close(value, reference, rtol=2e-7, atol=1e-12,
                                       msg=lambda text, p=parameter: f"{p}: {text}")
        torch.testing.assert_close(self.logits(model), self.logits(expected), rtol=0, atol=1e-4)

    def test_loads_the_blocks_without_a_head(self, packed_models):
        packed, _ = packed_models("random_transform")
        ids = torch.arange(3, 27).reshape(1, 24)
        bare, info = self.transformers.AutoModel.from_pretrained(packed, dtype=torch.float32,
                                                                 output_loading_info=True)
        assert not info["missing_keys"]
        assert {p.dtype for p in bare.parameters()} == {torch.float32}
        whole = self.load(packed, dtype=torch.float32)
        with torch.no_grad():
            assert torch.equal(bare(ids).last_hidden_state, whole.model(ids).last_hidden_state)

    def test_says_nothing_about_missing_or_unexpected_tensors(self, packed_models):
        packed, _ = packed_models("random_transform")
        _, info = self.load(packed, output_loading_info=True)
        assert not info["missing_keys"] and not info["unexpected_keys"]
        assert not info["mismatched_keys"]

    def test_takes_the_type_of_the_configuration(self, packed_models):
        packed, _ = packed_models("random_transform")
        model = self.load(packed, dtype="auto")
        assert {p.dtype for p in model.parameters()} == {torch.bfloat16}

    def test_gives_a_dense_model_that_can_be_saved(self, packed_models, tmp_path):
        packed, _ = packed_models("learned_transform")
        model = self.load(packed, dtype=torch.float32)
        model.save_pretrained(tmp_path)
        again = self.load(tmp_path, dtype=torch.float32)
        assert getattr(again.config, "quantization_config", None) is None
        assert torch.equal(self.logits(again), self.logits(model))

    def test_generates(self, packed_models):
        packed, _ = packed_models("random_transform")
        model = self.load(packed)
        out = model.generate(torch.tensor([[1, 2, 3]]), max_new_tokens=4, do_sample=False,
                             pad_token_id=0)
        assert 4 <= out.shape[1] <= 7

    def test_damage_is_an_error_of_the_format(self, packed_models, tmp_path):
        packed, _ = packed_models("random_transform")
        model = shutil.copytree(packed, tmp_path / "model")
        for name in ("model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"):
            path = model / name  # a block; embedding and norm
            content = path.read_bytes()
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
            with pytest.raises(btc_llm.FormatError, match=f"{name}: SHA-256 is"):
                self.load(model)
            path.write_bytes(content)
        path.unlink()
        with pytest.raises((btc_llm.FormatError, OSError)):
            self.load(model)

    def test_weights_that_would_go_to_disk_are_refused(self, packed_models):
        packed, _ = packed_models("random_transform")
        with pytest.raises(ValueError, match="btc export"):
            self.load(packed, device_map={"": "disk"})
