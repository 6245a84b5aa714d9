#include "pack/packed_model.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/half.hpp"
#include "pack/packed_config.hpp"
#include "pack/packed_directory.hpp"
#include "packed_fixture.hpp"
#include "support/scratch.hpp"

namespace btc {
namespace {

using test::PackedFixture;
using test::Scratch;
using ::testing::HasSubstr;
using ::testing::Not;

void expect_same(const ModelSource& a, const ModelSource& b, bool linears) {
  for (int block = 0; block < a.config().blocks; ++block) {
    const BlockWeights x = a.load_block(block);
    const BlockWeights y = b.load_block(block);
    EXPECT_EQ(x.bias, y.bias);
    EXPECT_EQ(x.input_norm, y.input_norm);
    EXPECT_EQ(x.post_attention_norm, y.post_attention_norm);
    EXPECT_EQ(x.q_norm, y.q_norm);
    EXPECT_EQ(x.k_norm, y.k_norm);
    EXPECT_EQ(x.linear == y.linear, linears);
  }
  const std::vector<std::int32_t> ids = {0, 3, 1};
  EXPECT_EQ(a.embed(ids), b.embed(ids));
  EXPECT_EQ(a.final_norm(), b.final_norm());
  EXPECT_EQ(a.head(), b.head());
}

class PackedModelOf : public ::testing::TestWithParam<const char*> {
 protected:
  Scratch scratch_{"packed-model"};
};

TEST_P(PackedModelOf, LoadsWhatWasPackedAndWhatWasCopied) {
  const PackedFixture fixture(GetParam(), test::model_scope_format(), 3);
  const auto packed = PackedModel::open(fixture.assemble(scratch_.path()));
  for (int block = 0; block < packed->config().blocks; ++block) {
    const BlockWeights weights = packed->load_block(block);
    for (const LinearKind kind : kLinearKinds) {
      EXPECT_EQ(weights.linear.at(index_of(kind)),
                dequantize(fixture.blocks.at(static_cast<std::size_t>(block)).at(index_of(kind))));
    }
  }
  expect_same(*packed, *fixture.checkpoint, false);
  EXPECT_EQ(packed->config().tied_head, fixture.checkpoint->config().tied_head);
  EXPECT_EQ(packed->config().family, fixture.checkpoint->config().family);
  EXPECT_THROW(static_cast<void>(packed->embed(std::vector<std::int32_t>{-1})), InputError);
}

TEST_P(PackedModelOf, InspectionFindsTheLedgerAndTheBits) {
  const PackedFixture fixture(GetParam(), test::model_scope_format(), 3);
  const auto directory = fixture.assemble(scratch_.path());
  const ModelReport report = inspect_model(directory);
  std::uint64_t safetensors = 0;
  std::size_t files = 1;  // the manifest does not list itself
  for (const ModelFile& file : report.files) {
    EXPECT_EQ(file.bytes, std::filesystem::file_size(directory / file.name));
    EXPECT_EQ(file.sha256, sha256_file(directory / file.name));
    safetensors += file.ledger.empty() ? 0 : file.bytes;
    EXPECT_TRUE(file.ledger.empty() || total_bytes(file.ledger) == file.bytes);
    ++files;
  }
  EXPECT_EQ(total_bytes(report.ledger), safetensors);
  const std::filesystem::directory_iterator begin(directory);
  EXPECT_EQ(std::distance(begin, {}), static_cast<std::ptrdiff_t>(files));
  const auto& config = fixture.checkpoint->config();
  EXPECT_DOUBLE_EQ(report.bits.model, 8.0 * static_cast<double>(safetensors) /
                                          static_cast<double>(parameter_count(config)));
  EXPECT_GT(report.bits.stored, report.bits.sign);
  EXPECT_GT(report.bits.sign, report.bits.nominal);
}

TEST_P(PackedModelOf, DenseExportIsACheckpointOfTheSameWeights) {
  const PackedFixture fixture(GetParam(), test::model_scope_format(), 3);
  const auto directory = fixture.assemble(scratch_.path());
  const auto packed = PackedModel::open(directory);
  export_dense(directory, scratch_.path() / "f32", ExportDType::kF32);
  expect_same(*Checkpoint::open(scratch_.path() / "f32"), *packed, true);
  export_dense(directory, scratch_.path() / "bf16", ExportDType::kBf16);
  const auto rounded = Checkpoint::open(scratch_.path() / "bf16");
  expect_same(*rounded, *packed, false);
  const BlockWeights exact = packed->load_block(0);
  const BlockWeights dense = rounded->load_block(0);
  for (const LinearKind kind : kLinearKinds) {
    const auto& values = exact.linear.at(index_of(kind)).values();
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(dense.linear.at(index_of(kind)).values()[i],
                bf16_to_float(float_to_bf16(values[i])));
    }
  }
  const std::string config = test::read_bytes(scratch_.path() / "bf16/config.json");
  EXPECT_THAT(config, HasSubstr("bfloat16"));
  EXPECT_THAT(config, Not(HasSubstr("quantization_config")));
  EXPECT_THROW(export_dense(directory, scratch_.path() / "bf16", ExportDType::kF16), InputError);
  EXPECT_THROW(export_dense(directory, "", ExportDType::kF16), InputError);
}

INSTANTIATE_TEST_SUITE_P(Families, PackedModelOf,
                         ::testing::Values("llama_gqa_llama3", "llama_untied_bias", "mistral",
                                           "qwen2_tied", "qwen3"),
                         [](const auto& test) { return std::string(test.param); });

TEST(DenseConfig, HasTheTypeUnderEveryNameThatTheSourceUses) {
  EXPECT_EQ(dense_config("{}", "float16"), "{\n  \"torch_dtype\": \"float16\"\n}\n");
  EXPECT_EQ(dense_config(R"({"dtype":"bfloat16"})", "float16"), "{\n  \"dtype\": \"float16\"\n}\n");
  const std::string both =
      dense_config(R"({"dtype":"bfloat16","torch_dtype":"bfloat16"})", "float32");
  EXPECT_THAT(both, Not(HasSubstr("bfloat16")));
}

TEST(DenseConfig, HasRotaryFieldsUnderTheirOlderNamesToo) {
  const auto config = [](const std::string& source) {
    return nlohmann::json::parse(dense_config(source, "float32"));
  };
  const auto scaled = config(
      R"({"rope_parameters": {"rope_type": "llama3", "factor": 8.0, "rope_theta": 500000.0}})");
  EXPECT_EQ(scaled.at("rope_theta"), 500000.0);
  EXPECT_EQ(scaled.at("rope_scaling"), nlohmann::json({{"rope_type", "llama3"}, {"factor", 8.0}}));
  EXPECT_EQ(scaled.at("rope_parameters").size(), 3U);
  const auto plain = config(R"({"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}})");
  EXPECT_EQ(plain.at("rope_theta"), 1e6);
  EXPECT_FALSE(plain.contains("rope_scaling"));
  EXPECT_FALSE(config(R"({"rope_parameters": null})").contains("rope_theta"));
  EXPECT_EQ(config(R"({"rope_theta": 5.0})").size(), 2U);
}

/// One packed model that tests damage.
class PackedModelDamage : public ::testing::Test {
 protected:
  std::filesystem::path file(const std::string& name) const { return directory_ / name; }
  std::string shard(int index) const {
    return shard_name(index, fixture_.checkpoint->config().blocks);
  }
  void replace(const std::string& name, const std::string& from, const std::string& to) const {
    std::string text = test::read_bytes(file(name));
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    test::write_bytes(file(name), text.replace(at, from.size(), to));
  }
  void flip(const std::string& name, std::size_t from_end) const {
    std::string bytes = test::read_bytes(file(name));
    bytes[bytes.size() - 1 - from_end] ^= 0x10;
    test::write_bytes(file(name), bytes);
  }
  static std::string verdict(const std::function<void()>& action) {
    try {
      action();
    } catch (const FormatError& error) {
      return error.what();
    }
    return "accepted";
  }
  std::string open_verdict() const {
    return verdict([&] { PackedModel::open(directory_); });
  }
  std::string inspect_verdict() const {
    return verdict([&] { inspect_model(directory_); });
  }

  Scratch scratch_{"packed-model-damage"};
  PackedFixture fixture_{"qwen2_tied", test::model_scope_format(), 3};
  std::filesystem::path directory_ = fixture_.assemble(scratch_.path());
};

TEST_F(PackedModelDamage, TheUndamagedModelPasses) {
  EXPECT_EQ(open_verdict(), "accepted");
  EXPECT_EQ(inspect_verdict(), "accepted");
}

TEST_F(PackedModelDamage, MissingFiles) {
  for (const std::string& name : {shard(0), shard(1), std::string("config.json"),
                                  std::string("model.safetensors.index.json")}) {
    const auto away = scratch_.path() / "away";
    std::filesystem::rename(file(name), away);
    EXPECT_THAT(open_verdict(), HasSubstr(name));
    EXPECT_THAT(inspect_verdict(), HasSubstr(name));
    std::filesystem::rename(away, file(name));
  }
  std::filesystem::remove(file("manifest.json"));
  EXPECT_THAT(open_verdict(), HasSubstr("manifest.json: missing"));
  EXPECT_THAT(inspect_verdict(), HasSubstr("manifest.json: missing"));
}

TEST_F(PackedModelDamage, AFlippedByteIsFoundByInspectionInEveryFile) {
  for (const ModelFile& listed : inspect_model(directory_).files) {
    flip(listed.name, 5);
    EXPECT_THAT(inspect_verdict(), HasSubstr(listed.name + ": SHA-256"));
    flip(listed.name, 5);
  }
  EXPECT_EQ(inspect_verdict(), "accepted");
}

TEST_F(PackedModelDamage, AFlippedByteIsNotExported) {
  flip(shard(1), 5);
  EXPECT_THAT(
      verdict([&] { export_dense(directory_, scratch_.path() / "out", ExportDType::kF32); }),
      HasSubstr(shard(1) + ": SHA-256"));
  EXPECT_FALSE(std::filesystem::exists(scratch_.path() / "out"));
}

TEST_F(PackedModelDamage, ATruncatedShardIsFoundOnOpening) {
  const auto path = file(shard(0));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  EXPECT_THAT(open_verdict(), HasSubstr(shard(0)));
}

TEST_F(PackedModelDamage, ShardsOfAnotherPlace) {
  std::filesystem::copy_file(file(shard(1)), file(shard(0)),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(open_verdict(), HasSubstr("block 1, expected 0"));
}

TEST_F(PackedModelDamage, ManifestFields) {
  const std::string good = test::read_bytes(file("manifest.json"));
  for (const auto& [from, to, text] : std::vector<std::array<std::string, 3>>{
           {"\"version\": \"1.0\"", "\"version\": \"2.0\"", "expected 1.x"},
           {"\"btc.manifest\"", "\"btc.unit\"", "schema"},
           {"\"name\": \"config.json\"", "\"name\": \"../config.json\"", "not the name of a file"},
           {"\"name\": \"config.json\"", "\"name\": \"config.jsom\"", "config.jsom"},
           {"\"files\": [", "\"files\": 7, \"x\": [", "files missing"},
           {"\"bytes\": ", "\"bytes\": -", "bytes missing"},
           {"{", "[", "not JSON"}}) {
    replace("manifest.json", from, to);
    EXPECT_THAT(open_verdict(), HasSubstr(text));
    test::write_bytes(file("manifest.json"), good);
  }
  replace("manifest.json", "\"category\": \"signs\"", "\"category\": \"norm\"");
  EXPECT_EQ(open_verdict(), "accepted");
  EXPECT_THAT(inspect_verdict(), HasSubstr("ledger line"));
  for (std::size_t size = 0; size < good.size() - 1; size += 101) {
    test::write_bytes(file("manifest.json"), good.substr(0, size));
    EXPECT_THAT(open_verdict(), HasSubstr("manifest.json"));
  }
}

/// Damages config.json and repairs its size in the manifest, so that only its content is wrong.
TEST_F(PackedModelDamage, QuantizationConfig) {
  const std::string good = test::read_bytes(file("config.json"));
  const std::string manifest = test::read_bytes(file("manifest.json"));
  for (const auto& [from, to, text] : std::vector<std::array<std::string, 3>>{
           {"\"codec\":", "\"rotation\": {}, \"codec\":", "unknown key \"rotation\""},
           {"\"codec\":", "\"transform\": {}, \"codec\":", "transform: got {}, expected {"},
           {"\"quant_method\": \"btc\"", "\"quant_method\": \"gptq\"", "expected one of btc"},
           {"\"format_version\": \"1.0\"", "\"format_version\": \"2.1\"", "expected 1.x"},
           {"\"vector_length\": 12", "\"vector_length\": 25", "vector_length"},
           {"\"vector_length\": 12", "\"vector_length\": 3", "vector_length 3"},
           {"\"codebook_size\": 300", "\"codebook_size\": 5000", "codebook_size 5000"},
           {"\"codebook_size\": 300", "\"codebook_size\": 2", "codewords, expected 1..2"},
           {"\"split_points\": 2", "\"split_points\": 4", "split_points"},
           {"\"group_map\": \"dense\"", "\"group_map\": \"rice\"", "Rice"},
           {"\"scope\": \"model\"", "\"scope\": \"galaxy\"",
            "expected one of linear, block, model"},
           {"\"scale_dtype\": \"F16\"", "\"scale_dtype\": \"I8\"", "8-bit scales"},
           {"\"mean\": true", "\"mean\": 1", "true or false"},
           {"\"salient_groups\": 1", "\"salient_groups\": 0", "expected 1"},
           {"\"sign_bits\"", "\"sing_bits\"", "sign_bits is missing"},
           {"\"quantization_config\"", "\"quantisation_config\"", "not a packed model"}}) {
    replace("config.json", from, to);
    const auto bytes = std::filesystem::file_size(file("config.json"));
    replace("manifest.json",
            "\"name\": \"config.json\",\n   \"bytes\": " + std::to_string(good.size()),
            "\"name\": \"config.json\",\n   \"bytes\": " + std::to_string(bytes));
    EXPECT_THAT(open_verdict(), HasSubstr(text));
    test::write_bytes(file("config.json"), good);
    test::write_bytes(file("manifest.json"), manifest);
  }
}

TEST_F(PackedModelDamage, WithoutAManifestItIsNoOriginalModel) {
  std::filesystem::remove(file("manifest.json"));
  EXPECT_TRUE(is_packed(directory_));
  EXPECT_THAT(open_verdict(), HasSubstr("manifest.json: missing"));
  replace("config.json", "\"quant_method\": \"btc\"", "\"quant_method\": \"gptq\"");
  EXPECT_FALSE(is_packed(directory_));
  test::write_bytes(file("config.json"), "{");
  EXPECT_FALSE(is_packed(directory_));
}

TEST_F(PackedModelDamage, ACopyThatDiffersFromItsRecordLeavesNothing) {
  const auto path = scratch_.path() / "block-00000.safetensors";
  const auto target = scratch_.path() / "other";
  EXPECT_THAT(verdict([&] { copy_block_shard(path, 0, 2, target, std::string(64, '0')); }),
              HasSubstr("SHA-256"));
  EXPECT_FALSE(std::filesystem::exists(target / shard_name(0, 2)));
}

TEST(PackedModelBytes, DoNotDependOnTheOrderOfAssembly) {
  const Scratch scratch("packed-model-bytes");
  const PackedFixture fixture("llama_gqa_llama3", test::model_scope_format(), 3);
  const auto first = fixture.assemble(scratch.path() / "a");
  const auto second = fixture.assemble(scratch.path() / "b", true);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(first)) {
    EXPECT_EQ(test::read_bytes(entry.path()), test::read_bytes(second / entry.path().filename()))
        << entry.path().filename();
    ++files;
  }
  EXPECT_GE(files, 5U);
}

TEST(PackedModelConfig, KeepsEveryFieldOfTheSource) {
  const Scratch scratch("packed-model-config");
  const PackedFixture fixture("llama_gqa_llama3", test::model_scope_format(), 0);
  const std::string config = test::read_bytes(fixture.assemble(scratch.path()) / "config.json");
  std::ifstream source(fixture.source / "config.json");
  for (std::string word; source >> word;) {
    if (word.front() == '"' && word.ends_with(":")) {
      EXPECT_THAT(config, HasSubstr(word));
    }
  }
  EXPECT_THAT(config, HasSubstr("\"quant_method\": \"btc\""));
}

TEST(PackedModelFormats, NoCodecRowScalesAndTiesLoadToo) {
  const Scratch scratch("packed-model-formats");
  PackedFormat raw;
  raw.panel = 0;
  raw.groups = 2;
  raw.mean = false;
  raw.column_scale = true;
  raw.rice_group_map = true;
  const PackedFixture fixture("qwen2_tied", raw, 0);
  const auto directory = fixture.assemble(scratch.path());
  EXPECT_DOUBLE_EQ(inspect_model(directory).bits.nominal, 1.0);
  EXPECT_EQ(PackedModel::open(directory)->load_block(1).linear[4],
            dequantize(fixture.blocks[1][4]));
}

TEST(ShardName, CountsFromOneAndIncludesTheOuterShard) {
  EXPECT_EQ(shard_name(17, 32), "model-00018-of-00033.safetensors");
  EXPECT_EQ(shard_name(32, 32), "model-00033-of-00033.safetensors");
  EXPECT_THROW(shard_name(33, 32), Error);
}

}  // namespace
}  // namespace btc
