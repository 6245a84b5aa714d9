#include "report/label_places.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace btc {
namespace {

// Wider and higher than any text of these labels at 12 pixels can be taken for.
constexpr double kWidthOfText = 6 * 3;
constexpr double kHeightOfText = 12;

bool overlap(const LabelPlace& a, const LabelPlace& b) {
  return std::abs(a.x - b.x) < kWidthOfText && std::abs(a.y - b.y) < kHeightOfText;
}

TEST(PlaceLabels, StandBesideAPointThatIsAlone) {
  const auto places = place_labels({{100, 100, "one"}}, 0, 300, 0, 300);
  ASSERT_EQ(places.size(), 1U);
  EXPECT_GT(places[0].x, 100);
  EXPECT_LT(places[0].y, 100);
  EXPECT_FALSE(places[0].moved);
}

TEST(PlaceLabels, NeverCoverEachOtherInACrowd) {
  std::vector<PlotPoint> points;
  for (int i = 0; i < 8; ++i) {
    points.push_back({100.0 + i, 100.0, "abc"});
  }
  const auto places = place_labels(points, 0, 300, 0, 300);
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_FALSE(overlap(places[i], places[j])) << i << " and " << j;
    }
  }
  EXPECT_TRUE(places.back().moved);
}

TEST(PlaceLabels, StayOnTheCanvas) {
  const auto places = place_labels({{298, 2, "corner"}}, 0, 300, 0, 300);
  EXPECT_LE(places[0].x + 6 * 6, 300);
  EXPECT_GE(places[0].y - 10, 0);
}

}  // namespace
}  // namespace btc
