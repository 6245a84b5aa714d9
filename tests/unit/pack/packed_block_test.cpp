#include "pack/packed_block.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "random_block.hpp"
#include "support/scratch.hpp"

namespace btc {
namespace {

using test::RandomBlock;
using test::Scratch;
using ::testing::HasSubstr;

/// A format, how many codewords exist and how many columns are salient.
struct Case {
  const char* name;
  PackedFormat format;
  std::size_t codewords;
  std::size_t salient;
  double upper_share = 0.5;
};

PackedFormat make_format(int v, std::size_t c, CodebookScope scope, std::size_t panel,
                         std::size_t groups) {
  PackedFormat format;
  format.vector_length = v;
  format.codebook_size = c;
  format.scope = scope;
  format.index_coding = c == 0 ? IndexCoding::kFixed : index_coding_for(c);
  format.panel = panel;
  format.groups = groups;
  return format;
}

PackedFormat row_format(PackedFormat format, bool rice) {
  format.mean = false;
  format.column_scale = true;
  format.rice_group_map = rice;
  return format;
}

PackedFormat with_salient_groups(PackedFormat format) {
  format.salient_groups = format.groups;
  return format;
}

PackedFormat uniform_format(int bits, std::size_t panel) {
  PackedFormat format = make_format(0, 0, CodebookScope::kModel, panel, 1);
  format.level_bits = bits;
  format.mean = false;
  format.salient = false;
  return format;
}

PackedFormat given_format(PackedFormat format) {
  format = row_format(format, false);
  format.column_mean = true;
  format.salient = false;
  return format;
}

PackedFormat with_coding(PackedFormat format, IndexCoding coding) {
  format.index_coding = coding;
  return format;
}

PackedFormat masked_format(PackedFormat format) {
  format.masked = true;
  return format;
}

PackedFormat linear_code_format(std::size_t panel, std::size_t groups) {
  PackedFormat format = make_format(20, 65536, CodebookScope::kModel, panel, groups);
  format.codec = Codec::kLinear2016;
  return format;
}

PackedFormat row_column_format(std::size_t groups, std::size_t salient_groups) {
  PackedFormat format = make_format(0, 0, CodebookScope::kModel, 128, groups);
  format.mean = false;
  format.column_scale = true;
  format.group_column_scale = true;
  format.salient_groups = salient_groups;
  return format;
}

PackedFormat ratio_format(PackedFormat format) {
  format.mean = false;
  format.column_scale = true;
  format.group_ratio = true;
  return format;
}

PackedFormat int8_format(PackedFormat format) {
  format = ratio_format(format);
  format.int8_scales = true;
  format.salient = false;
  return format;
}

std::vector<Case> cases() {
  using Scope = CodebookScope;
  return {
      {"NoCodec", make_format(0, 0, Scope::kModel, 128, 3), 0, 9},
      {"NoCodecNoGroupsNoSalient", make_format(0, 0, Scope::kModel, 128, 1), 0, 0},
      {"SalientGroups", with_salient_groups(make_format(0, 0, Scope::kModel, 128, 2)), 0, 9},
      {"FourSalientGroups", with_salient_groups(make_format(8, 100, Scope::kBlock, 64, 4)), 100,
       17},
      {"LinearRadix", make_format(16, 7131, Scope::kLinear, 128, 3), 7131, 20},
      {"LinearFixed",
       with_coding(make_format(16, 7131, Scope::kLinear, 128, 3), IndexCoding::kFixed), 40, 20},
      {"FewerCodewordsThanConfigured", make_format(16, 2352, Scope::kLinear, 128, 2), 17, 1},
      {"BlockGroupScope", make_format(16, 2352, Scope::kBlockGroup, 64, 3), 2349, 20},
      {"BlockGroupScopeOnePanel", make_format(8, 99, Scope::kBlockGroup, 208, 1), 99, 0},
      {"Sets", masked_format(make_format(16, 7131, Scope::kModel, 128, 3)), 7131, 20},
      {"SetsOfEachLinearFixed", masked_format(make_format(8, 100, Scope::kLinear, 50, 1)), 77, 5},
      {"SetsWithSalientGroups",
       masked_format(with_salient_groups(make_format(11, 300, Scope::kBlock, 64, 4))), 300, 17},
      {"SetsWithTheirOwnCodebooks",
       masked_format(make_format(16, 2352, Scope::kBlockGroup, 100, 2)), 2340, 20},
      {"SetsWithoutSalientColumns", masked_format(make_format(5, 9, Scope::kModel, 128, 2)), 9, 0},
      {"BlockScope", make_format(8, 100, Scope::kBlock, 64, 4), 100, 8},
      {"ModelScope", make_format(12, 21618 / 8, Scope::kModel, 120, 2), 2702, 0},
      {"ShortestVectors", make_format(4, 11, Scope::kBlock, 128, 4), 11, 203 / 2},
      {"LongestVectors", make_format(24, 1U << 20U, Scope::kModel, 120, 1), 1000, 3},
      {"TwoBitLevels", uniform_format(2, 128), 0, 0},
      {"ThreeBitLevels", uniform_format(3, 128), 0, 0},
      {"EightBitLevelsOfWholeRows", uniform_format(8, 0), 0, 0},
      {"GivenScales", given_format(make_format(16, 2352, Scope::kModel, 0, 1)), 99, 0},
      {"GivenScalesNoCodec", given_format(make_format(0, 0, Scope::kModel, 0, 1)), 0, 0},
      {"LinearCode", linear_code_format(120, 3), 65536, 12},
      {"OneCodeword", make_format(5, 1, Scope::kModel, 125, 1), 1, 3},
      {"RowScales", row_format(make_format(16, 2352, Scope::kModel, 0, 1), false), 2352, 11},
      {"RowScalesNoSalient", row_format(make_format(16, 2352, Scope::kModel, 0, 1), false), 9, 0},
      {"RowScalesSparse", row_format(make_format(16, 2352, Scope::kModel, 0, 2), true), 99, 0,
       0.03},
      {"RowScalesSparseSalient", row_format(make_format(16, 2352, Scope::kModel, 0, 2), true), 99,
       5, 0.03},
      {"RatiosOfGroupsSparse",
       ratio_format(row_format(make_format(16, 2352, Scope::kModel, 0, 2), true)), 99, 0, 0.03},
      {"EightBitScalesSparse",
       int8_format(row_format(make_format(16, 2352, Scope::kModel, 0, 2), true)), 99, 0, 0.03},
      {"RatiosOfGroupsSalient", ratio_format(make_format(0, 0, Scope::kModel, 0, 4)), 0, 5},
      {"RiceLosesToThePlainMap", row_format(make_format(16, 2352, Scope::kModel, 0, 2), true), 99,
       5, 0.5},
      {"RowScalesFourGroups", row_format(make_format(0, 0, Scope::kModel, 0, 4), false), 0, 1},
      {"AllButThreeColumnsSalient", make_format(16, 7131, Scope::kModel, 128, 3), 50, 200},
      {"RowTimesColumnScales", row_column_format(3, 1), 0, 9},
      {"RowTimesColumnScalesNoSalient", row_column_format(2, 1), 0, 0},
      {"RowTimesColumnScalesOneGroup", row_column_format(1, 1), 0, 4},
      {"RowTimesColumnScalesSalientGroups", row_column_format(2, 2), 0, 9},
      {"PanelWiderThanTheLinear", make_format(16, 7131, Scope::kModel, 4096, 3), 50, 4},
  };
}

class PackedBlockRoundTrip : public ::testing::TestWithParam<Case> {
 protected:
  Scratch scratch_{"packed-block"};
  std::filesystem::path path_ = scratch_.path() / "block-00003.safetensors";
};

TEST_P(PackedBlockRoundTrip, GivesBackEveryBit) {
  const Case& c = GetParam();
  const RandomBlock random(c.format, c.codewords, c.salient, 7, c.upper_share);
  const auto written = write_packed_block(path_, random.block, c.format);
  const auto file = SafetensorsFile::open(path_);
  check_packed_metadata(file, "3");
  EXPECT_EQ(file.metadata().at("fingerprint"), random.block.fingerprint);
  for (const LinearKind kind : kLinearKinds) {
    const auto back = read_packed_linear(file, 3, kind, c.format, &random.model_codewords);
    EXPECT_EQ(back, random.block.linear.at(index_of(kind))) << name_of(kind);
  }
  EXPECT_EQ(total_bytes(written.ledger), std::filesystem::file_size(path_));
  EXPECT_EQ(written.file.bytes, std::filesystem::file_size(path_));
  EXPECT_EQ(to_float(file.at("model.layers.3.input_layernorm.weight")),
            std::vector<float>(24, 1.0F));
}

TEST_P(PackedBlockRoundTrip, BytesDependOnTheValuesOnly) {
  const Case& c = GetParam();
  const RandomBlock random(c.format, c.codewords, c.salient, 7, c.upper_share);
  const auto first = write_packed_block(path_, random.block, c.format);
  const auto second = write_packed_block(scratch_.path() / "other", random.block, c.format);
  EXPECT_EQ(first.file.sha256, second.file.sha256);
}

TEST(RiceMaps, OfShortAndLongRowsComeBack) {
  const Scratch scratch("rice-rows");
  const PackedFormat format = row_format(make_format(16, 7131, CodebookScope::kModel, 0, 2), true);
  for (const std::size_t cols : {2047U, 2048U}) {
    const RandomBlock random(format, 4000, 0, 9, 0.03, cols);
    const auto path = scratch.path() / "block-00003.safetensors";
    write_packed_block(path, random.block, format);
    const auto file = SafetensorsFile::open(path);
    for (const LinearKind kind : kLinearKinds) {
      EXPECT_EQ(read_packed_linear(file, 3, kind, format, &random.model_codewords),
                random.block.linear.at(index_of(kind)));
    }
    const auto lengths = [](const TensorView& tensor) {
      return tensor.name.ends_with(".group_map_row_bytes");
    };
    EXPECT_EQ(std::any_of(file.tensors().begin(), file.tensors().end(), lengths), cols == 2048);
  }
}

PackedFormat transform_format() {
  PackedFormat format = make_format(16, 7131, CodebookScope::kModel, 128, 3);
  format.transform = true;
  return format;
}
constexpr std::array<std::size_t, kSharedInputs.size()> kWidths = {203, 203, 203, 203};

TEST(PackedTransform, GivesBackEveryFactorAndChargesIt) {
  const Scratch scratch("packed-transform");
  const auto path = scratch.path() / "block-00003.safetensors";
  const PackedFormat format = transform_format();
  const RandomBlock random(format, 50, 4, 7);
  const auto written = write_packed_block(path, random.block, format);
  const auto file = SafetensorsFile::open(path);
  EXPECT_EQ(read_packed_transform(file, 3, format, kWidths), random.block.transform);
  std::uint64_t charged = 0;
  for (const LedgerLine& line : written.ledger) {
    charged += line.category == "transform" ? line.bytes : 0;
  }
  EXPECT_EQ(charged, 2U * (4 * 7 * 7 + 3 * 29 * 29));
}

TEST(PackedTransform, MustBeThereExactlyWhereTheFormatSaysSo) {
  const Scratch scratch("packed-transform");
  const auto path = scratch.path() / "block-00003.safetensors";
  PackedFormat format = transform_format();
  const RandomBlock random(format, 50, 4, 7);
  write_packed_block(path, random.block, format);
  format.transform = false;
  EXPECT_THROW(write_packed_block(scratch.path() / "other", random.block, format), Error);
  EXPECT_THROW(read_packed_transform(SafetensorsFile::open(path), 3, format, kWidths), FormatError);
  const RandomBlock plain(format, 50, 4, 7);
  write_packed_block(path, plain.block, format);
  EXPECT_EQ(read_packed_transform(SafetensorsFile::open(path), 3, format, kWidths),
            OnlineFactors{});
  format.transform = true;
  EXPECT_THROW(read_packed_transform(SafetensorsFile::open(path), 3, format, kWidths), FormatError);
}

TEST(PackedTransform, MustFitTheWidths) {
  const Scratch scratch("packed-transform");
  const auto path = scratch.path() / "block-00003.safetensors";
  const PackedFormat format = transform_format();
  const RandomBlock random(format, 50, 4, 7);
  write_packed_block(path, random.block, format);
  const auto file = SafetensorsFile::open(path);
  EXPECT_NO_THROW(read_packed_transform(file, 3, format, {203, 14, 203, 203}));
  EXPECT_THROW(read_packed_transform(file, 3, format, {203, 15, 203, 203}), FormatError);
  EXPECT_THROW(read_packed_transform(file, 3, format, {203, 203, 406, 203}), FormatError);
  EXPECT_THROW(read_packed_transform(file, 3, format, {203, 203, 203, 6}), FormatError);
}

TEST_P(PackedBlockRoundTrip, PredictionIsExactApartFromRiceMaps) {
  const Case& c = GetParam();
  const RandomBlock random(c.format, c.codewords, c.salient, 7, c.upper_share);
  const auto written = write_packed_block(path_, random.block, c.format);
  for (const LinearKind kind : kLinearKinds) {
    const auto& linear = random.block.linear.at(index_of(kind));
    const auto predicted = predict_linear_ledger(linear.rows, linear.cols, c.format,
                                                 linear.salient_columns.size(), c.upper_share);
    for (const LedgerLine& line : predicted) {
      const bool data_dependent =
          (line.category == "group_map" && c.format.rice_group_map) ||
          (line.category == "codebook" && c.codewords < c.format.codebook_size) ||
          (line.category == "codebook" && c.format.scope == CodebookScope::kLinear) ||
          (line.category == "signs" && c.format.masked);
      const auto real = std::find_if(
          written.ledger.begin(), written.ledger.end(), [&](const LedgerLine& candidate) {
            return candidate.object == linear_name(3, kind) && candidate.category == line.category;
          });
      ASSERT_NE(real, written.ledger.end()) << line.category;
      if (line.category == "signs") {
        // Few rows: the padding of the sets weighs much.
        EXPECT_NEAR(static_cast<double>(line.bytes) / static_cast<double>(real->bytes), 1, 0.15);
      }
      EXPECT_TRUE(data_dependent || real->bytes == line.bytes)
          << line.category << ": " << real->bytes << ", predicted " << line.bytes;
    }
    const auto of_linear =
        std::count_if(written.ledger.begin(), written.ledger.end(), [&](const LedgerLine& line) {
          return line.object == linear_name(3, kind) && line.category != "bias";
        });
    EXPECT_EQ(static_cast<std::size_t>(of_linear), predicted.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, PackedBlockRoundTrip, ::testing::ValuesIn(cases()),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(PackedBlock, NamesTypesAndOrderAreThoseOfTheFormat) {
  const Scratch scratch("packed-block");
  const auto path = scratch.path() / "block-00003.safetensors";
  const RandomBlock random(make_format(16, 7131, CodebookScope::kLinear, 128, 3), 64, 10, 1);
  write_packed_block(path, random.block, random.format);
  const auto file = SafetensorsFile::open(path);
  const std::string q = "model.layers.3.self_attn.q_proj";
  const auto expect = [&](const char* field, DType dtype, const std::vector<std::int64_t>& shape) {
    const TensorView& tensor = file.at(q + "." + field);
    EXPECT_EQ(tensor.dtype, dtype) << field;
    EXPECT_EQ(tensor.shape, shape) << field;
  };
  expect("weight_shape", DType::kI64, {2});
  expect("indices", DType::kU8, {13 * 8});  // 5 * 13 sub-vectors
  expect("codebook", DType::kU8, {128});
  expect("codebook_size", DType::kI64, {1});
  expect("alpha", DType::kF16, {5, 2, 3});
  expect("mu", DType::kF16, {5, 2, 3});
  expect("salient_columns", DType::kU8, {26});
  expect("salient_alpha", DType::kF16, {5, 2, 1, 2});
  expect("salient_mu", DType::kF16, {5, 2, 1});
  expect("residual_signs", DType::kU8, {5, 2});
  expect("group_map", DType::kU8, {5, 39});
  const auto& tensors = file.tensors();
  EXPECT_TRUE(std::is_sorted(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    return std::make_pair(size_of(b.dtype), a.name) < std::make_pair(size_of(a.dtype), b.name);
  }));
  EXPECT_EQ(file.header_bytes() % 64, 0U);
}

TEST(PackedBlock, SharedCodebookIsStoredOnceWithTheBlock) {
  const Scratch scratch("packed-block");
  const auto path = scratch.path() / "block-00003.safetensors";
  const RandomBlock random(make_format(16, 7131, CodebookScope::kBlock, 128, 3), 64, 10, 1);
  write_packed_block(path, random.block, random.format);
  const auto file = SafetensorsFile::open(path);
  EXPECT_EQ(read_packed_codebook(file, "model.layers.3.btc", random.format),
            random.block.codebooks.front().codewords);
  EXPECT_EQ(file.find("model.layers.3.self_attn.q_proj.codebook"), nullptr);
}

TEST(PackedBlock, WriterRefusesWhatCouldNotBeReadBack) {
  const Scratch scratch("packed-block");
  const auto path = scratch.path() / "block-00003.safetensors";
  const auto format = make_format(16, 7131, CodebookScope::kBlock, 128, 3);
  const auto expect_refusal = [&](auto&& damage, const char* text) {
    RandomBlock random(format, 64, 10, 1);
    damage(random.block.linear[0]);
    try {
      write_packed_block(path, random.block, format);
      ADD_FAILURE() << "written: " << text;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(text));
    }
    EXPECT_FALSE(std::filesystem::exists(path));
  };
  expect_refusal([](auto& l) { l.signs.set(0, 0, !l.signs.get(0, 0)); }, "signs of row 0");
  expect_refusal([](auto& l) { l.alpha(0, 0) = 0.1F; }, "not a finite fp16");
  expect_refusal([](auto& l) { l.mu(0, 0) = INFINITY; }, "not a finite fp16");
  expect_refusal([](auto& l) { l.group(0, 101) = 3; }, "group 3 of 3");
  expect_refusal([](auto& l) { l.group(0, l.salient_columns[0]) = 0; }, "is in a group");
  expect_refusal([](auto& l) { l.index(1, 1) = 64; }, "index 64");
  expect_refusal([](auto& l) { l.mu = Matrix<float>(); }, ".mu");
  expect_refusal([](auto& l) { std::swap(l.salient_columns[0], l.salient_columns[1]); },
                 "not ascending");
  expect_refusal([](auto& l) { l.panel = 64; }, "panel 64");
}

}  // namespace
}  // namespace btc
