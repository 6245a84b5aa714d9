#include "io/format_version.hpp"

#include <gmock/gmock.h>

#include "common/error.hpp"

namespace btc {
namespace {

TEST(FormatVersion, TakesEveryMinorOfItsMajorAndNothingElse) {
  EXPECT_NO_THROW(check_version("1.0", "1.0", "f"));
  EXPECT_NO_THROW(check_version("1.12", "1.0", "f"));
  for (const char* other : {"2.0", "0.9", "11.0", "1", "1.", "", ".0", "1.x", "one"}) {
    EXPECT_THROW(check_version(other, "1.0", "f"), FormatError) << other;
  }
}

}  // namespace
}  // namespace btc
