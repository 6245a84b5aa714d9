#include <gmock/gmock.h>

#include <cstring>

#include "random_block.hpp"
#include "support/scratch.hpp"

namespace btc {
namespace {

using test::RandomBlock;
using test::Scratch;
using ::testing::HasSubstr;

constexpr const char* kQ = "model.layers.3.self_attn.q_proj";

/// A valid block of one format, as tensors that a test can damage before they are written.
class PackedBlockDamage : public ::testing::Test {
 protected:
  struct Tensor {
    DType dtype;
    std::vector<std::int64_t> shape;
    std::vector<std::byte> bytes;
  };

  void make(const PackedFormat& format, std::size_t codewords, std::size_t salient,
            double upper_share = 0.5, std::size_t cols = 203) {
    format_ = format;
    const RandomBlock random(format, codewords, salient, 5, upper_share, cols);
    shared_ = random.model_codewords;
    write_packed_block(path_, random.block, format);
    const auto file = SafetensorsFile::open(path_);
    metadata_ = file.metadata();
    tensors_.clear();
    for (const TensorView& view : file.tensors()) {
      tensors_[view.name] = {view.dtype, view.shape, {view.bytes.begin(), view.bytes.end()}};
    }
  }
  Tensor& q(const char* field) { return tensors_.at(std::string(kQ) + "." + field); }
  void set(const char* field, std::size_t byte, unsigned value) {
    q(field).bytes.at(byte) = static_cast<std::byte>(value);
  }
  /// What the reader says about q_proj of the tensors as they are now.
  std::string verdict() {
    std::vector<TensorView> views;
    for (const auto& [name, tensor] : tensors_) {
      views.push_back({name, tensor.dtype, tensor.shape, tensor.bytes});
    }
    write_safetensors(path_, views, metadata_);
    try {
      const auto file = SafetensorsFile::open(path_);
      check_packed_metadata(file, "3");
      ledger_of(file);
      read_packed_linear(file, 3, LinearKind::kQ, format_, &shared_);
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), HasSubstr("block-00003.safetensors"));
      return error.what();
    }
    return "accepted";
  }

  Scratch scratch_{"packed-damage"};
  std::filesystem::path path_ = scratch_.path() / "block-00003.safetensors";
  PackedFormat format_;
  std::vector<Pattern> shared_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, Tensor> tensors_;
};

PackedFormat panel_format(std::size_t groups) {
  PackedFormat format;
  format.vector_length = 16;
  format.codebook_size = 7131;
  format.scope = CodebookScope::kLinear;
  format.index_coding = IndexCoding::kRadix;
  format.panel = 128;
  format.groups = groups;
  return format;
}

PackedFormat sparse_row_format() {
  PackedFormat format = panel_format(2);
  format.scope = CodebookScope::kModel;
  format.panel = 0;
  format.mean = false;
  format.column_scale = true;
  format.rice_group_map = true;
  return format;
}

TEST_F(PackedBlockDamage, Indices) {
  make(panel_format(3), 4000, 10);
  ASSERT_EQ(verdict(), "accepted");
  const auto good = q("indices");
  for (std::size_t b = 0; b < 8; ++b) {
    set("indices", b, 0xff);
  }
  EXPECT_THAT(verdict(), HasSubstr("q_proj.indices, byte "));
  q("indices") = good;
  q("codebook_size").bytes[0] = std::byte{0};
  EXPECT_THAT(verdict(), HasSubstr("codebook, byte"));  // 3840 codewords, 8000 bytes
  q("codebook_size").bytes[7] = std::byte{0x80};
  EXPECT_THAT(verdict(), HasSubstr("codewords, expected 1..7131"));
}

TEST_F(PackedBlockDamage, CodebooksOfPanels) {
  PackedFormat format = panel_format(1);
  format.scope = CodebookScope::kBlockGroup;
  format.index_coding = IndexCoding::kFixed;
  make(format, 3000, 0);
  ASSERT_EQ(verdict(), "accepted");
  const auto good = q("codebook_size");
  q("codebook_size").bytes[8] = std::byte{0};
  EXPECT_THAT(verdict(), HasSubstr("codebook, byte"));
  q("codebook_size").bytes[15] = std::byte{0x80};
  EXPECT_THAT(verdict(), HasSubstr("codewords, expected 1..7131"));
  // The first panel's codebook alone: it lacks an index that the second panel uses.
  q("codebook_size").bytes.assign(good.bytes.begin(), good.bytes.begin() + 8);
  q("codebook_size").shape = {1};
  q("codebook").bytes.resize(6000);
  q("codebook").shape = {6000};
  EXPECT_THAT(verdict(), HasSubstr("codebook_size"));
}

TEST_F(PackedBlockDamage, IndexBehindASmallerCodebook) {
  PackedFormat format = panel_format(1);
  format.index_coding = IndexCoding::kFixed;
  make(format, 4000, 0);
  set("indices", 0, 0xff);
  set("indices", 1, 0xff);
  EXPECT_THAT(verdict(), HasSubstr("index 8191, expected < 4000"));
}

TEST_F(PackedBlockDamage, SharedCodebookSmallerThanTheIndices) {
  make(sparse_row_format(), 4000, 0, 0.03);
  ASSERT_EQ(verdict(), "accepted");
  shared_.resize(2);
  EXPECT_THAT(verdict(), HasSubstr("expected < 2"));
}

TEST_F(PackedBlockDamage, PadBits) {
  make(panel_format(2), 4000, 10);
  set("salient_columns", 25, 0x80);  // 203 columns: 5 pad bits
  EXPECT_THAT(verdict(), HasSubstr("salient_columns, byte"));
  make(panel_format(2), 4000, 10);
  set("residual_signs", 1, 0x80);
  EXPECT_THAT(verdict(), HasSubstr("pad bits of row 0"));
  make(panel_format(2), 4000, 10);
  set("group_map", 24, 0x80);  // 193 entries
  EXPECT_THAT(verdict(), HasSubstr("unused bits"));
  PackedFormat raw;
  raw.panel = 128;
  make(raw, 0, 0);
  set("signs", 25, 0x80);
  EXPECT_THAT(verdict(), HasSubstr("q_proj.signs, byte"));
}

TEST_F(PackedBlockDamage, CodebookPadBits) {
  PackedFormat format = panel_format(1);
  format.vector_length = 5;
  format.codebook_size = 31;
  format.index_coding = IndexCoding::kFixed;
  format.panel = 125;
  make(format, 31, 0);
  ASSERT_EQ(verdict(), "accepted");
  set("codebook", 19, 0x80);  // 155 bits in 20 bytes
  EXPECT_THAT(verdict(), HasSubstr("q_proj.codebook, byte"));
}

TEST_F(PackedBlockDamage, Trits) {
  make(panel_format(3), 4000, 10);
  set("group_map", 0, 243);
  EXPECT_THAT(verdict(), HasSubstr("byte value 243 of row 0"));
}

TEST_F(PackedBlockDamage, SalientBitmapWithAnotherPopulation) {
  make(panel_format(3), 4000, 8);
  ASSERT_EQ(verdict(), "accepted");
  set("salient_columns", 1, 0xff);
  EXPECT_THAT(verdict(), HasSubstr("residual_signs, byte"));
  make(panel_format(3), 4000, 8);
  for (std::byte& byte : q("salient_columns").bytes) {
    byte = std::byte{0};
  }
  EXPECT_THAT(verdict(), HasSubstr("no bit of it is set"));
  make(sparse_row_format(), 4000, 8, 0.03);
  tensors_.erase(std::string(kQ) + ".salient_columns");
  EXPECT_NE(verdict(), "accepted");
}

TEST_F(PackedBlockDamage, ScalesThatAreNotFinite) {
  for (const char* field : {"alpha", "mu", "salient_alpha", "salient_mu"}) {
    make(panel_format(3), 4000, 10);
    set(field, 5, 0x7c);
    set(field, 4, 0x00);
    EXPECT_THAT(verdict(), HasSubstr("value inf, expected a finite number")) << field;
  }
  make(sparse_row_format(), 4000, 0, 0.03);
  set("alpha_col", 1, 0x7e);
  EXPECT_THAT(verdict(), HasSubstr("value nan"));
}

TEST_F(PackedBlockDamage, EightBitScales) {
  PackedFormat format = sparse_row_format();
  format.group_ratio = true;
  format.int8_scales = true;
  format.salient = false;
  make(format, 4000, 0, 0.03);
  ASSERT_EQ(verdict(), "accepted");
  set("alpha", 3, 0x80);
  EXPECT_THAT(verdict(), HasSubstr("alpha, byte"));
  EXPECT_THAT(verdict(), HasSubstr("value -128, expected -127..127"));
  for (const std::size_t unit : {0U, 1U}) {
    make(format, 4000, 0, 0.03);
    set("group_ratio", 2 * unit, 0x01);  // no power of two
    EXPECT_THAT(verdict(), HasSubstr("expected a power of two, 2^-24 to 2^8"));
    make(format, 4000, 0, 0.03);
    set("group_ratio", 2 * unit, 0x00);
    set("group_ratio", 2 * unit + 1, 0x60);  // 2^9
    EXPECT_THAT(verdict(), HasSubstr("unit 512, expected a power of two"));
  }
  make(format, 4000, 0, 0.03);
  format_.int8_scales = false;
  EXPECT_THAT(verdict(), HasSubstr("group_ratio, byte"));
}

TEST_F(PackedBlockDamage, RiceMaps) {
  constexpr std::size_t kLongRow = 2048;
  make(sparse_row_format(), 4000, 0, 0.03, kLongRow);
  ASSERT_EQ(verdict(), "accepted");
  set("group_map", 0, 16);
  EXPECT_THAT(verdict(), HasSubstr("Rice parameter 16"));
  q("group_map") = {DType::kU8, {0}, {}};
  EXPECT_THAT(verdict(), HasSubstr("Rice parameter missing"));
  make(sparse_row_format(), 4000, 0, 0.03, kLongRow);
  set("group_map_row_bytes", 1, 1);
  EXPECT_THAT(verdict(), HasSubstr("group_map_row_bytes, byte"));
  make(sparse_row_format(), 4000, 0, 0.03, kLongRow);
  format_.rice_group_map = false;
  EXPECT_THAT(verdict(), HasSubstr("group_map_row_bytes, byte"));
}

TEST_F(PackedBlockDamage, RiceMapsOfShortRows) {
  make(sparse_row_format(), 4000, 0, 0.03);
  ASSERT_EQ(verdict(), "accepted");
  EXPECT_FALSE(tensors_.contains(std::string(kQ) + ".group_map_row_bytes"));
  q("group_map").bytes.pop_back();
  q("group_map").shape = {static_cast<std::int64_t>(q("group_map").bytes.size())};
  EXPECT_THAT(verdict(), ::testing::Not("accepted"));
  make(sparse_row_format(), 4000, 0, 0.03);
  tensors_[std::string(kQ) + ".group_map_row_bytes"] = q("group_map");
  EXPECT_THAT(verdict(), HasSubstr("group_map_row_bytes, byte"));
}

TEST_F(PackedBlockDamage, ShapesTypesAndMissingTensors) {
  for (const char* field : {"weight_shape", "indices", "codebook", "codebook_size", "alpha", "mu",
                            "salient_alpha", "salient_mu", "residual_signs", "group_map"}) {
    make(panel_format(3), 4000, 10);
    tensors_.erase(std::string(kQ) + "." + field);
    EXPECT_THAT(verdict(), HasSubstr(field));
  }
  make(panel_format(3), 4000, 10);
  set("weight_shape", 0, 4);
  EXPECT_THAT(verdict(), HasSubstr("expected [4, 2, 3]"));
  make(panel_format(3), 4000, 10);
  set("weight_shape", 3, 0xff);
  EXPECT_THAT(verdict(), HasSubstr("expected extents"));
  make(panel_format(3), 4000, 10);
  q("alpha").dtype = DType::kBf16;
  EXPECT_THAT(verdict(), HasSubstr("dtype BF16, expected F16"));
}

TEST_F(PackedBlockDamage, TensorsThatTheFormatDoesNotHave) {
  const auto add = [&](const std::string& name) {
    tensors_[name] = {DType::kU8, {1}, std::vector<std::byte>(1)};
  };
  make(panel_format(3), 4000, 10);
  add(std::string(kQ) + ".alpha_col");
  EXPECT_THAT(verdict(), HasSubstr("the format has no column scales"));
  make(panel_format(3), 4000, 10);
  add(std::string(kQ) + ".signs");
  EXPECT_THAT(verdict(), HasSubstr("the format has a codec"));
  make(panel_format(3), 4000, 10);
  add(std::string(kQ) + ".delta");
  EXPECT_THAT(verdict(), HasSubstr("not a tensor of the packed format"));
  make(panel_format(3), 4000, 10);
  format_.salient = false;
  EXPECT_THAT(verdict(), HasSubstr("the format has no salient columns"));
}

TEST_F(PackedBlockDamage, Metadata) {
  for (const auto& [key, value, text] :
       std::vector<std::array<const char*, 3>>{{"version", "2.0", "version \"2.0\", expected 1.x"},
                                               {"format", "pt", "format pt, expected btc-packed"},
                                               {"block", "4", "block 4, expected 3"}}) {
    make(panel_format(3), 4000, 10);
    metadata_[key] = value;
    EXPECT_THAT(verdict(), HasSubstr(text));
    metadata_.erase(key);
    EXPECT_THAT(verdict(), HasSubstr(key));
  }
  make(panel_format(3), 4000, 10);
  metadata_["version"] = "1.7";
  metadata_["note"] = "added by a later minor";
  EXPECT_EQ(verdict(), "accepted");
}

TEST_F(PackedBlockDamage, AnyFlippedByteIsReadOrRefusedNeverMore) {
  for (const PackedFormat& format : {panel_format(3), sparse_row_format()}) {
    make(format, 500, format.column_scale ? 0 : 10, 0.03);
    const std::string good = test::read_bytes(path_);
    Rng rng(11);
    std::size_t refused = 0;
    for (int trial = 0; trial < 150; ++trial) {
      std::string bad = good;
      for (int flips = 0; flips < 3; ++flips) {
        auto& byte = bad[rng.below(bad.size())];
        byte = static_cast<char>(byte ^ static_cast<char>(1 + rng.below(255)));
      }
      bad.resize(bad.size() - (trial % 4 == 0 ? rng.below(bad.size()) : 0));
      test::write_bytes(path_, bad);
      try {
        const auto file = SafetensorsFile::open(path_);
        check_packed_metadata(file, "3");
        for (const LinearKind kind : kLinearKinds) {
          read_packed_linear(file, 3, kind, format_, &shared_);
        }
      } catch (const FormatError&) {
        ++refused;
      }
    }
    EXPECT_GT(refused, 37U);
  }
}

}  // namespace
}  // namespace btc
