#include <gmock/gmock.h>

#include "common/error.hpp"
#include "support/backends.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;

class KMeans : public test::BackendTest {};
BTC_FOR_ALL_BACKENDS(KMeans);

// v = 4, checked by hand. 0b0011 is 1 away from 0b0001 and 0b0111: the lower index wins.
TEST_P(KMeans, HandCheckedStep) {
  const PatternHistogram histogram{4, {0b0001, 0b0011, 0b1110}, {1, 5, 2}};
  const auto session = backend_->open_kmeans(histogram);
  std::vector<Pattern> centroids = {0b0001, 0b0111, 0b1111, 0b0000};
  std::vector<std::uint32_t> assignment = {0, 9, 9};
  EXPECT_EQ(session->assign(centroids, assignment), 2U);
  EXPECT_THAT(assignment, ElementsAre(0, 0, 2));
  session->update(assignment, centroids);
  EXPECT_THAT(centroids, ElementsAre(0b0011, 0b0111, 0b1110, 0b0000));
}

TEST_P(KMeans, MajorityTieBecomesPlusOne) {
  const PatternHistogram histogram{4, {0b0001, 0b0010}, {3, 3}};
  const auto session = backend_->open_kmeans(histogram);
  std::vector<Pattern> centroids = {0};
  session->update(std::vector<std::uint32_t>{0, 0}, centroids);
  EXPECT_THAT(centroids, ElementsAre(0b0011));
}

}  // namespace
}  // namespace btc
