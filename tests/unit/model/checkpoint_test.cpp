#include "model/checkpoint.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <bit>
#include <filesystem>
#include <fstream>
#include <limits>

#include "common/error.hpp"
#include "common/half.hpp"
#include "io/atomic_file.hpp"
#include "support/thrown_by.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

fs::path golden_models() { return BTC_SOURCE_DIR "/tests/golden/models"; }

/// A private copy of a golden model, to be damaged.
class CheckpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / concat("btc-checkpoint-", ::getpid());
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void copy(const std::string& name) {
    fs::remove_all(folder_);
    fs::copy(golden_models() / name, folder_);
  }
  [[nodiscard]] std::string refusal() const {
    try {
      Checkpoint::open(folder_);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  }
  /// Rewrites model.safetensors through `change`.
  template <typename Change>
  void rewrite(Change change) {
    const fs::path file = folder_ / "model.safetensors";
    {
      const SafetensorsFile old = SafetensorsFile::open(file);
      std::vector<TensorView> tensors = old.tensors();
      change(tensors);
      write_safetensors(folder_ / "new.safetensors", tensors, {});
    }
    fs::rename(folder_ / "new.safetensors", file);
  }

  fs::path folder_;
};

TensorView& named(std::vector<TensorView>& tensors, std::string_view name) {
  for (TensorView& tensor : tensors) {
    if (tensor.name == name) {
      return tensor;
    }
  }
  throw std::runtime_error("no such tensor");
}

TEST_F(CheckpointTest, ReadsWeightsOfEachDtypeAsStored) {
  const auto model = Checkpoint::open(golden_models() / "qwen2_tied");
  const BlockWeights block = model->load_block(1);
  const TensorView& stored = model->tensor("model.layers.1.mlp.down_proj.weight");
  const Matrix<float>& down = block.linear[index_of(LinearKind::kDown)];
  EXPECT_EQ(stored.dtype, DType::kBf16);
  EXPECT_EQ(down.rows(), 56U);
  EXPECT_EQ(down.cols(), 60U);
  EXPECT_EQ(down.values(), to_float(stored));
  EXPECT_EQ(block.bias[index_of(LinearKind::kQ)].size(), 56U);
  EXPECT_TRUE(block.bias[index_of(LinearKind::kO)].empty());
  EXPECT_EQ(model->head().values(), to_float(model->tensor("model.embed_tokens.weight")));
  EXPECT_EQ(model->files().size(), 1U);
}

TEST_F(CheckpointTest, EmbedsIdsOfTheVocabularyOnly) {
  const auto model = Checkpoint::open(golden_models() / "mistral");
  const std::vector<std::int32_t> ids = {58, 0};
  const Matrix<float> rows = model->embed(ids);
  const std::vector<float> table = to_float(model->tensor("model.embed_tokens.weight"));
  EXPECT_EQ(rows(1, 31), table[31]);
  EXPECT_EQ(rows(0, 0), table[58 * 32]);
  EXPECT_THROW((void)model->embed(std::vector<std::int32_t>{59}), InputError);
  EXPECT_THROW((void)model->embed(std::vector<std::int32_t>{-1}), InputError);
}

TEST_F(CheckpointTest, ShardsAreOneModel) {
  const auto model = Checkpoint::open(golden_models() / "llama_untied_bias");
  EXPECT_EQ(model->files().size(), 7U);
  EXPECT_EQ(model->load_block(1).bias[index_of(LinearKind::kDown)].size(), 40U);
}

TEST_F(CheckpointTest, NamesEveryProblemAtOnce) {
  copy("qwen3");
  rewrite([](std::vector<TensorView>& tensors) {
    TensorView& down = named(tensors, "model.layers.1.mlp.down_proj.weight");
    std::swap(down.shape[0], down.shape[1]);
    TensorView& norm = named(tensors, "model.norm.weight");
    norm.dtype = DType::kU8;
    norm.shape = {72};
    named(tensors, "model.layers.0.self_attn.k_norm.weight").name = "another";
  });
  EXPECT_THAT(
      refusal(),
      AllOf(HasSubstr("4 problems"),
            HasSubstr("model.layers.1.mlp.down_proj.weight: shape [68, 36], expected [36, 68]"),
            HasSubstr("model.norm.weight: shape [72], expected [36]"),
            HasSubstr("model.norm.weight: dtype U8, expected F16, BF16 or F32"),
            HasSubstr("model.layers.0.self_attn.k_norm.weight: missing, expected [16]")));
}

TEST_F(CheckpointTest, AMissingShardIsNamedWithTheTensorsItHeld) {
  copy("llama_untied_bias");
  fs::remove(folder_ / "model-00003-of-00007.safetensors");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("shard model-00003-of-00007.safetensors: missing"),
                               HasSubstr(".weight: missing, expected")));
}

TEST_F(CheckpointTest, ADamagedShardIsNamed) {
  copy("llama_untied_bias");
  fs::resize_file(folder_ / "model-00005-of-00007.safetensors", 9000);
  EXPECT_THAT(refusal(), HasSubstr("model-00005-of-00007.safetensors"));
}

TEST_F(CheckpointTest, AnIndexMayNotPointElsewhere) {
  copy("llama_untied_bias");
  write_text_file(folder_ / "model.safetensors.index.json",
                  R"({"weight_map": {"a": "../x.safetensors", "b": 3}})");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("2 problems"), HasSubstr("\"../x.safetensors\"")));
  write_text_file(folder_ / "model.safetensors.index.json", "{");
  EXPECT_THAT(refusal(), HasSubstr("weight_map"));
}

TEST_F(CheckpointTest, PickledWeightsAndNoWeightsAreToldApart) {
  copy("mistral");
  fs::remove(folder_ / "model.safetensors");
  fs::remove(folder_ / "golden.safetensors");
  EXPECT_THAT(refusal(), HasSubstr("no weights; expected model.safetensors"));
  write_text_file(folder_ / "pytorch_model.bin", "x");
  EXPECT_THAT(refusal(), HasSubstr("convert the checkpoint to safetensors"));
}

TEST_F(CheckpointTest, AWeightThatIsNotFiniteIsNamedWithItsBlock) {
  copy("qwen3");
  std::vector<std::byte> bytes;
  rewrite([&](std::vector<TensorView>& tensors) {
    TensorView& up = named(tensors, "model.layers.1.mlp.up_proj.weight");
    bytes.assign(up.bytes.begin(), up.bytes.end());
    bytes[20] = std::byte{0xc0};  // bf16 element 10 becomes NaN
    bytes[21] = std::byte{0x7f};
    up.bytes = bytes;
  });
  const auto model = Checkpoint::open(folder_);
  EXPECT_NO_THROW((void)model->load_block(0));
  try {
    (void)model->load_block(1);
    FAIL() << "a NaN went through";
  } catch (const NumericError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("model.layers.1.mlp.up_proj.weight (block 1)"),
                                    HasSubstr("element 10 is nan")));
  }
}

TEST_F(CheckpointTest, LatentWeightsWithColumnScalesAreBinary) {
  copy("qwen3");
  const std::string owner = "model.layers.1.mlp.up_proj";
  std::vector<float> scale;
  std::vector<float> mean;
  std::size_t rows = 0;
  const auto add = [&](std::vector<TensorView>& tensors, std::vector<std::int64_t> shape) {
    tensors.push_back(
        {owner + ".wscale", DType::kF32, std::move(shape), std::as_bytes(std::span(scale))});
    const auto columns = static_cast<std::int64_t>(mean.size());
    tensors.push_back({owner + ".wbias", DType::kF32, {columns}, std::as_bytes(std::span(mean))});
  };
  const auto plain = Checkpoint::open(folder_);
  const Matrix<float> latent = plain->load_block(1).linear[index_of(LinearKind::kUp)];
  rows = latent.rows();
  for (std::size_t j = 0; j < latent.cols(); ++j) {
    scale.push_back(static_cast<float>(j + 1) / 8.0F);
    mean.push_back(static_cast<float>(j) / 16.0F);
  }
  const auto columns = static_cast<std::int64_t>(latent.cols());
  rewrite([&](std::vector<TensorView>& tensors) { add(tensors, {1, columns}); });
  const auto binary = Checkpoint::open(folder_);
  const Matrix<float> weight = binary->load_block(1).linear[index_of(LinearKind::kUp)];
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < latent.cols(); ++j) {
      ASSERT_EQ(weight(i, j), (latent(i, j) >= 0 ? scale[j] : -scale[j]) + mean[j]);
    }
  }
  EXPECT_EQ(binary->load_block(0).linear[index_of(LinearKind::kUp)],
            plain->load_block(0).linear[index_of(LinearKind::kUp)]);
  EXPECT_NE(binary->fingerprint(1), plain->fingerprint(1)) << "the scales are part of the weights";
  EXPECT_EQ(binary->fingerprint(0), plain->fingerprint(0));

  copy("qwen3");
  rewrite([&](std::vector<TensorView>& tensors) {
    add(tensors, {columns});
    tensors.pop_back();
  });
  EXPECT_THAT(refusal(), HasSubstr(owner + ".wbias: missing"));
}

TEST_F(CheckpointTest, AFileCutShortUnderARunIsAnError) {
  copy("qwen3");
  const auto checkpoint = Checkpoint::open(folder_);
  const fs::path file = checkpoint->files().front();
  fs::resize_file(file, fs::file_size(file) / 2);
  EXPECT_THAT(test::thrown_by<FormatError>([&] { (void)checkpoint->fingerprint(0); }),
              AllOf(HasSubstr(file.string()), HasSubstr("when it was opened")));
}

TEST_F(CheckpointTest, TheFingerprintOfABlockSeesOnlyThatBlock) {
  copy("qwen3");
  const auto before = Checkpoint::open(folder_);
  const std::string first = before->fingerprint(0);
  const std::string second = before->fingerprint(1);
  EXPECT_EQ(first.size(), 32U);
  EXPECT_NE(first, second);
  std::vector<std::byte> bytes;
  rewrite([&](std::vector<TensorView>& tensors) {
    TensorView& up = named(tensors, "model.layers.1.mlp.up_proj.weight");
    bytes.assign(up.bytes.begin(), up.bytes.end());
    bytes[7] ^= std::byte{1};
    up.bytes = bytes;
  });
  const auto after = Checkpoint::open(folder_);
  EXPECT_EQ(after->fingerprint(0), first);
  EXPECT_NE(after->fingerprint(1), second);
  EXPECT_EQ(after->fingerprint(-1), before->fingerprint(-1));
}

}  // namespace
}  // namespace btc
