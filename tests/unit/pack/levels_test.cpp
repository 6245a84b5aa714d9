#include "pack/levels.hpp"

#include <gmock/gmock.h>

#include "support/thrown_by.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const TensorOrigin kOrigin{"f", "p.levels", 100};

// 3 bits, lowest first: 5, 0, 7 are 101 000 111 -> bits 1 0 1 0 0 0 1 1 | 1.
TEST(Levels, FieldsAreLowestBitFirstAndRowsArePadded) {
  Matrix<std::uint8_t> levels(2, 3);
  levels.values() = {5, 0, 7, 1, 2, 3};
  const auto bytes = encode_levels(levels, 3);
  EXPECT_THAT(bytes, ElementsAre(0xc5, 0x01, 0xd1, 0x00));
  EXPECT_EQ(decode_levels(std::as_bytes(std::span(bytes)), 2, 3, 3, kOrigin), levels);
}

TEST(Levels, PadBitsAreRefused) {
  const std::vector<std::uint8_t> bytes = {0xc5, 0x03};
  EXPECT_THAT(test::thrown_by<FormatError>(
                  [&] { decode_levels(std::as_bytes(std::span(bytes)), 1, 3, 3, kOrigin); }),
              HasSubstr("pad bits of row 0"));
}

TEST(Levels, ALevelBeyondItsBitsIsOurMistake) {
  EXPECT_THROW(encode_levels(Matrix<std::uint8_t>(1, 1, 8), 3), Error);
}

}  // namespace
}  // namespace btc
