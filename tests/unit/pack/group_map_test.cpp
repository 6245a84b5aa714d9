#include "pack/group_map.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "common/rng.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const TensorOrigin kOrigin{"f", "p.group_map", 100};

Matrix<std::uint8_t> row_of(const std::vector<std::uint8_t>& values) {
  Matrix<std::uint8_t> map(1, values.size());
  map.values() = values;
  return map;
}

Matrix<std::uint8_t> random_map(std::size_t rows, std::size_t cols, std::size_t groups,
                                double upper, Rng& rng) {
  Matrix<std::uint8_t> map(rows, cols);
  for (std::uint8_t& group : map.values()) {
    group = static_cast<std::uint8_t>(rng.uniform() < upper ? 1 + rng.below(groups - 1) : 0);
  }
  return map;
}

std::string refusal(std::vector<std::uint8_t> bytes, std::size_t entries, std::size_t groups) {
  try {
    decode_group_map(std::as_bytes(std::span(bytes)), 1, entries, groups, kOrigin);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "accepted";
}

std::string rice_refusal(std::vector<std::uint8_t> bytes, std::size_t k, std::size_t entries) {
  const std::vector<std::size_t> rows = {bytes.size()};
  try {
    decode_rice_map(std::as_bytes(std::span(bytes)), rows, k, entries, kOrigin);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(GroupMap, WorkedExamples) {
  EXPECT_THAT(encode_group_map(row_of({2, 0, 1, 1, 2}), 3), ElementsAre(0xc8));
  EXPECT_THAT(encode_group_map(row_of({1, 0, 0, 0, 0, 0, 0, 0, 1}), 2), ElementsAre(0x01, 0x01));
  EXPECT_THAT(encode_group_map(row_of({3, 0, 1, 2, 1}), 4), ElementsAre(0x93, 0x01));
}

TEST(GroupMap, RoundTripAtEveryWidth) {
  Rng rng(2);
  for (const std::size_t groups : {2U, 3U, 4U}) {
    for (const std::size_t entries : {0U, 1U, 5U, 8U, 41U}) {
      const auto map = random_map(3, entries, groups, 0.6, rng);
      const auto bytes = encode_group_map(map, groups);
      EXPECT_EQ(bytes.size(), 3 * group_map_row_bytes(entries, groups));
      EXPECT_EQ(decode_group_map(std::as_bytes(std::span(bytes)), 3, entries, groups, kOrigin),
                map);
    }
  }
}

TEST(GroupMap, RefusesBytesThatNoWriterMakes) {
  EXPECT_EQ(refusal({242}, 5, 3), "accepted");
  EXPECT_THAT(refusal({0, 243}, 10, 3), HasSubstr("f: p.group_map, byte 101: byte value 243"));
  EXPECT_THAT(refusal({3}, 1, 3), HasSubstr("unused bits and digits"));
  EXPECT_THAT(refusal({2}, 1, 2), HasSubstr("unused"));
  EXPECT_THAT(refusal({4}, 1, 4), HasSubstr("unused"));
}

TEST(RiceMap, WorkedExample) {
  std::vector<std::uint8_t> row(30, 0);
  row[3] = row[4] = row[20] = 1;
  const auto map = row_of(row);
  // Gaps 3, 0, 15 at k = 2: 0 11, 0 00, 1110 11, padded with ones.
  const std::vector<std::uint8_t> bytes = {0xc6, 0xfd};
  const std::vector<std::size_t> rows = {2};
  EXPECT_EQ(decode_rice_map(std::as_bytes(std::span(bytes)), rows, 2, 30, kOrigin), map);
  const RiceMap coded = encode_rice_map(map);  // k = 1 takes 4 + 2 + 9 bits, k = 2 takes 12
  EXPECT_EQ(coded.bytes.size(), 2U);
  EXPECT_EQ(coded.parameter, 1U);  // the smallest k of two bytes
}

TEST(RiceMap, RoundTripWithEmptyAndFullRows) {
  Rng rng(3);
  for (const double share : {0.0, 0.001, 0.02, 0.3, 1.0}) {
    auto map = random_map(4, 5000, 2, share, rng);
    std::fill(map.row(2).begin(), map.row(2).end(), std::uint8_t{0});
    map(3, 4999) = 1;
    const RiceMap coded = encode_rice_map(map);
    EXPECT_EQ(coded.row_bytes[2], 0U);
    EXPECT_EQ(decode_rice_map(std::as_bytes(std::span(coded.bytes)), coded.row_bytes,
                              coded.parameter, 5000, kOrigin),
              map)
        << share;
  }
}

TEST(RiceMap, StaysWithinTwoPercentOfTheEntropy) {
  Rng rng(4);
  const RiceMap coded = encode_rice_map(random_map(64, 11008, 2, 0.05, rng));
  const double bits = 8.0 * static_cast<double>(coded.bytes.size()) / (64.0 * 11008.0);
  EXPECT_NEAR(bits, 0.2865, 0.0060);
}

TEST(RiceMap, RefusesBrokenRows) {
  EXPECT_THAT(rice_refusal({0xc6, 0xfd}, 2, 20), HasSubstr("byte 100: entry 20, expected < 20"));
  EXPECT_EQ(rice_refusal({0xc6, 0xfd}, 2, 21), "accepted");
  EXPECT_THAT(rice_refusal({0xff}, 0, 20), HasSubstr("8 pad bits"));
  EXPECT_THAT(rice_refusal({0x7f}, 4, 200), HasSubstr("inside a code"));
  EXPECT_THAT(rice_refusal({0x00}, 0, 7), HasSubstr("expected < 7"));
}

}  // namespace
}  // namespace btc
