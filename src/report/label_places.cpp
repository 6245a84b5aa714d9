#include "report/label_places.hpp"

#include <algorithm>
#include <array>

namespace btc {

namespace {

constexpr double kCharWidth = 6.6;  ///< of sans-serif at 12 pixels, on average
constexpr double kAscent = 10;
constexpr double kDescent = 3;
constexpr double kPointRadius = 5;

struct Box {
  double left = 0;
  double right = 0;
  double top = 0;
  double bottom = 0;

  [[nodiscard]] bool covers(const Box& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
  [[nodiscard]] bool within(const Box& other) const {
    return left >= other.left && right <= other.right && top >= other.top && bottom <= other.bottom;
  }
};

Box box_of(const LabelPlace& place) {
  return {place.x, place.x + place.width, place.y - kAscent, place.y + kDescent};
}

Box box_of(const PlotPoint& point) {
  return {point.x - kPointRadius, point.x + kPointRadius, point.y - kPointRadius,
          point.y + kPointRadius};
}

/// Beside, above and below the point, then the same farther away.
std::vector<LabelPlace> places_around(const PlotPoint& point) {
  constexpr std::array kRows = {-6.0, 15.0, 4.0, -20.0, 29.0, -34.0, 43.0, -48.0, 57.0};
  constexpr std::size_t kNear = 3;
  const double width = kCharWidth * static_cast<double>(point.label.size());
  std::vector<LabelPlace> places;
  for (std::size_t row = 0; row < kRows.size(); ++row) {
    for (const double x : {point.x + 7, point.x - 7 - width, point.x - width / 2}) {
      places.push_back({x, point.y + kRows[row], width, row >= kNear});
    }
  }
  return places;
}

}  // namespace

std::vector<LabelPlace> place_labels(const std::vector<PlotPoint>& points, double left,
                                     double right, double top, double bottom) {
  const Box canvas = {left, right, top, bottom};
  std::vector<Box> taken;
  taken.reserve(2 * points.size());
  for (const PlotPoint& point : points) {
    taken.push_back(box_of(point));
  }
  std::vector<LabelPlace> chosen;
  for (const PlotPoint& point : points) {
    const std::vector<LabelPlace> places = places_around(point);
    const auto is_free = [&](const LabelPlace& place) {
      const Box box = box_of(place);
      return box.within(canvas) &&
             std::ranges::none_of(taken, [&](const Box& other) { return box.covers(other); });
    };
    const auto found = std::ranges::find_if(places, is_free);
    chosen.push_back(found == places.end() ? places.front() : *found);
    taken.push_back(box_of(chosen.back()));
  }
  return chosen;
}

}  // namespace btc
