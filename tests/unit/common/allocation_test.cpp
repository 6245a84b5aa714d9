#include "common/allocation.hpp"

#include <gmock/gmock.h>

#include <cstdint>

namespace btc {
namespace {

// From nothing to several large pages, none of them whole at its ends.
TEST(LargePages, HoldZerosOfAnySize) {
  for (const std::size_t rows : {0U, 1U, 700U, 1500U}) {
    const auto floats = zeros_in_large_pages<float>(rows, 1031);
    EXPECT_EQ(floats, Matrix<float>(rows, 1031));
    EXPECT_EQ(zeros_in_large_pages<std::int64_t>(rows, 3), Matrix<std::int64_t>(rows, 3));
  }
}

TEST(LargePages, AHintChangesNoByte) {
  Matrix<std::uint8_t> bytes(3, 3U << 20U, 7);
  prefer_large_pages(bytes.data(), bytes.size());
  prefer_large_pages(bytes.data(), 0);
  EXPECT_EQ(bytes, Matrix<std::uint8_t>(3, 3U << 20U, 7));
}

}  // namespace
}  // namespace btc
