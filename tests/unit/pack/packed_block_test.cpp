#include "pack/packed_block.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "packed_cases.hpp"
#include "random_block.hpp"
#include "support/scratch.hpp"

namespace btc {
namespace {

using test::make_format;
using test::RandomBlock;
using test::row_format;
using test::Scratch;
using ::testing::HasSubstr;

class PackedBlockRoundTrip : public ::testing::TestWithParam<test::PackedCase> {
 protected:
  Scratch scratch_{"packed-block"};
  std::filesystem::path path_ = scratch_.path() / "block-00003.safetensors";
};

TEST_P(PackedBlockRoundTrip, GivesBackEveryBit) {
  const test::PackedCase& c = GetParam();
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
  const test::PackedCase& c = GetParam();
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
  const test::PackedCase& c = GetParam();
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

INSTANTIATE_TEST_SUITE_P(Formats, PackedBlockRoundTrip, ::testing::ValuesIn(test::packed_cases()),
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
