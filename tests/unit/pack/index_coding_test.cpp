#include "pack/index_coding.hpp"

#include <gmock/gmock.h>

#include "common/rng.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const TensorOrigin kOrigin{"block-00000.safetensors", "p.indices", 1000};

Matrix<std::uint32_t> row_of(const std::vector<std::uint32_t>& values) {
  Matrix<std::uint32_t> index(1, values.size());
  index.values() = values;
  return index;
}

std::string refusal(std::vector<std::uint8_t> bytes, const IndexStream& stream,
                    std::size_t stored) {
  try {
    decode_indices(std::as_bytes(std::span(bytes)), stream, stored, kOrigin);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(IndexCoding, FixedWorkedExample) {
  const IndexStream stream{1, 2, 7131, IndexCoding::kFixed};
  EXPECT_EQ(index_width(7131), 13U);
  EXPECT_THAT(encode_indices(row_of({5, 300}), stream), ElementsAre(0x05, 0x80, 0x25, 0x00));
  EXPECT_THAT(index_shape({3, 256, 7131, IndexCoding::kFixed}), ElementsAre(3, 416));
}

TEST(IndexCoding, RadixWorkedExample) {
  const IndexStream stream{1, 5, 7131, IndexCoding::kRadix};
  EXPECT_THAT(encode_indices(row_of({1, 2, 3, 4, 5}), stream),
              ElementsAre(0x03, 0x45, 0xf5, 0x60, 0x5c, 0xf0, 0x2d, 0x00));
  // 256 indices a row do not divide by five: groups run over rows.
  EXPECT_THAT(index_shape({4096, 256, 7131, IndexCoding::kRadix}), ElementsAre(1'677'728));
}

TEST(IndexCoding, RadixGroupsAreTheSmallestThatHoldFiveDigits) {
  for (const auto& [codebook, bytes] :
       std::vector<std::pair<std::size_t, std::size_t>>{{1, 1},
                                                        {3, 1},
                                                        {4, 2},
                                                        {84, 4},
                                                        {85, 5},
                                                        {256, 5},
                                                        {257, 6},
                                                        {776, 6},
                                                        {777, 7},
                                                        {2352, 7},
                                                        {2353, 8},
                                                        {7131, 8},
                                                        {7132, 9},
                                                        {21618, 9},
                                                        {21619, 10},
                                                        {std::size_t{1} << 20U, 13}}) {
    EXPECT_EQ(radix_group_bytes(codebook), bytes) << codebook;
  }
}

TEST(IndexCoding, TheSmallerCodingIsChosenAndFixedOnTies) {
  EXPECT_EQ(index_coding_for(7131), IndexCoding::kRadix);  // 64 bits against 65
  EXPECT_EQ(index_coding_for(7132), IndexCoding::kFixed);  // 72 against 65
  EXPECT_EQ(index_coding_for(21618), IndexCoding::kRadix);
  EXPECT_EQ(index_coding_for(2352), IndexCoding::kRadix);
  EXPECT_EQ(index_coding_for(256), IndexCoding::kFixed);  // 40 against 40
  EXPECT_EQ(index_coding_for(3), IndexCoding::kRadix);    // 8 against 10
  EXPECT_EQ(index_coding_for(1), IndexCoding::kFixed);
  EXPECT_EQ(index_width(1), 1U);
  EXPECT_EQ(index_width(2), 1U);
  EXPECT_EQ(index_width(3), 2U);
}

TEST(IndexCoding, RoundTripForEverySize) {
  Rng rng(1);
  for (const std::size_t codebook :
       {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{100}, std::size_t{256},
        std::size_t{2352}, std::size_t{7131}, std::size_t{7132}, std::size_t{21618},
        std::size_t{65536}, std::size_t{1} << 20U}) {
    for (const IndexCoding coding : {IndexCoding::kFixed, IndexCoding::kRadix}) {
      for (const std::size_t per_row : {1U, 4U, 7U}) {
        const IndexStream stream{3, per_row, codebook, coding};
        Matrix<std::uint32_t> index(3, per_row);
        for (std::uint32_t& value : index.values()) {
          value = static_cast<std::uint32_t>(rng.below(codebook));
        }
        index(0, 0) = static_cast<std::uint32_t>(codebook - 1);
        const auto bytes = encode_indices(index, stream);
        std::size_t expected = 1;
        for (const std::int64_t extent : index_shape(stream)) {
          expected *= static_cast<std::size_t>(extent);
        }
        EXPECT_EQ(bytes.size(), expected);
        EXPECT_EQ(decode_indices(std::as_bytes(std::span(bytes)), stream, codebook, kOrigin), index)
            << codebook << " x " << per_row;
      }
    }
  }
}

// c = floor(2^(b v)) at v = 16 and b = 0.7, 0.8, 0.9, and at v = 24 and b = 0.6, 0.7, 0.8.
TEST(IndexCoding, FiveLargestDigitsOfTheTargetRatesFit) {
  for (const auto& [codebook, bytes] : std::vector<std::pair<std::size_t, std::size_t>>{
           {2352, 7}, {7131, 8}, {21618, 9}, {114104, 11}, {602248, 12}}) {
    const IndexStream stream{1, 5, codebook, IndexCoding::kRadix};
    const auto largest = static_cast<std::uint32_t>(codebook - 1);
    const auto index = row_of({largest, largest, largest, largest, largest});
    const auto coded = encode_indices(index, stream);
    EXPECT_EQ(coded.size(), bytes) << codebook;
    EXPECT_EQ(decode_indices(std::as_bytes(std::span(coded)), stream, codebook, kOrigin), index);
    EXPECT_THAT(refusal(std::vector<std::uint8_t>(bytes, 0xff), stream, codebook),
                HasSubstr("expected"));
  }
  EXPECT_EQ(index_coding_for(602248), IndexCoding::kRadix);  // 96 bits against 100
  EXPECT_EQ(index_coding_for(114104), IndexCoding::kFixed);  // 88 against 85
}

TEST(IndexCoding, RefusesIndicesWithoutCodewordNamingTheByte) {
  const IndexStream fixed{1, 2, 7131, IndexCoding::kFixed};
  EXPECT_EQ(refusal({0x05, 0x80, 0x25, 0x00}, fixed, 301), "accepted");
  EXPECT_EQ(refusal({0x05, 0x80, 0x25, 0x00}, fixed, 300),
            "block-00000.safetensors: p.indices, byte 1001: index 300, expected < 300");
  const IndexStream radix{1, 5, 7131, IndexCoding::kRadix};
  const std::vector<std::uint8_t> bytes = {0x03, 0x45, 0xf5, 0x60, 0x5c, 0xf0, 0x2d, 0x00};
  EXPECT_EQ(refusal(bytes, radix, 6), "accepted");
  EXPECT_THAT(refusal(bytes, radix, 5), HasSubstr("byte 1000: index 5, expected < 5"));
}

TEST(IndexCoding, RefusesSetPadBitsAndUnusedDigits) {
  const IndexStream fixed{1, 2, 7131, IndexCoding::kFixed};
  EXPECT_THAT(refusal({0x05, 0x80, 0x25, 0x04}, fixed, 7131), HasSubstr("byte 1003: pad bits"));
  const IndexStream radix{1, 5, 7131, IndexCoding::kRadix};
  EXPECT_THAT(refusal(std::vector<std::uint8_t>(8, 0xff), radix, 7131),
              HasSubstr("too large"));  // 7131^5 < 2^64
  const IndexStream two{1, 2, 7131, IndexCoding::kRadix};
  EXPECT_THAT(refusal({0x03, 0x45, 0xf5, 0x60, 0x5c, 0xf0, 0x2d, 0x00}, two, 7131),
              HasSubstr("expected 2 digits"));
  const IndexStream wide{1, 5, 21618, IndexCoding::kRadix};
  EXPECT_THAT(refusal(std::vector<std::uint8_t>(9, 0xff), wide, 21618), HasSubstr("too large"));
}

}  // namespace
}  // namespace btc
