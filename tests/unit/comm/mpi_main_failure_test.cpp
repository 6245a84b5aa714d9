#include <gmock/gmock.h>

#include "comm/communicator.hpp"

namespace btc {
namespace {

TEST(MpiMain, ShowsWhatFailedOnAnotherRank) {
  EXPECT_EQ(Communicator::world().rank(), 0) << "planted on purpose";
}

}  // namespace
}  // namespace btc
