#include "report/scatter_plot.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "report/label_places.hpp"
#include "report/svg.hpp"

namespace btc {

namespace {

std::string points_svg(const ScatterPlot& plot, const svg::Axis& x, const svg::Axis& y) {
  std::vector<PlotPoint> points;
  points.reserve(plot.points.size());
  for (const PlotPoint& point : plot.points) {
    points.push_back({x.at(point.x), y.at(point.y), point.label});
  }
  const auto places = place_labels(points, svg::kLeft, svg::kWidth - svg::kRight, svg::kTop,
                                   svg::kHeight - svg::kBottom);
  std::string out;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto& [px, py, label] = points[i];
    const LabelPlace& place = places[i];
    if (place.moved) {
      out += svg::line(px, py, std::clamp(px, place.x, place.x + place.width), place.y - 4,
                       "stroke=\"#888\" stroke-width=\"0.5\"");
    }
    out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"#1f5fa8\"/>\n", px, py);
    out += svg::text_at(place.x, place.y, "start", label);
  }
  return out;
}

}  // namespace

std::string scatter_svg(const ScatterPlot& plot) {
  const auto [left, right] = std::ranges::minmax(plot.points, {}, &PlotPoint::x);
  const auto [bottom, top] = std::ranges::minmax(plot.points, {}, &PlotPoint::y);
  const double level = plot.level.value_or(bottom.y);
  const svg::Axis x = svg::x_axis(left.x, right.x);
  const svg::Axis y = svg::y_axis(std::min(bottom.y, level), std::max(top.y, level));
  std::string out = svg::canvas(x, y, plot.title, plot.x_name, plot.y_name);
  out += svg::text_at(svg::kWidth / 2, svg::kTop - 9, "middle", plot.subtitle, " font-size=\"11\"");
  if (plot.level) {
    const double right_end = svg::kWidth - svg::kRight;
    out += svg::line(svg::kLeft, y.at(level), right_end, y.at(level),
                     "stroke=\"#888\" stroke-dasharray=\"6 4\"");
    out += svg::text_at(right_end - 4, y.at(level) - 6, "end", plot.level_name);
  }
  return out + points_svg(plot, x, y) + "</svg>\n";
}

}  // namespace btc
