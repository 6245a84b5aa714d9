#include "report/scatter_plot.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "report/svg.hpp"

namespace btc {

std::string scatter_svg(const ScatterPlot& plot) {
  const auto [left, right] = std::ranges::minmax(plot.points, {}, &PlotPoint::x);
  const auto [bottom, top] = std::ranges::minmax(plot.points, {}, &PlotPoint::y);
  const double level = plot.level.value_or(bottom.y);
  const svg::Axis x = svg::x_axis(left.x, right.x);
  const svg::Axis y = svg::y_axis(std::min(bottom.y, level), std::max(top.y, level));
  std::string out = svg::canvas(x, y, plot.title, plot.x_name, plot.y_name);
  if (plot.level) {
    const double right_end = svg::kWidth - svg::kRight;
    out += svg::line(svg::kLeft, y.at(level), right_end, y.at(level),
                     "stroke=\"#888\" stroke-dasharray=\"6 4\"");
    out += svg::text_at(right_end - 4, y.at(level) - 6, "end", plot.level_name);
  }
  for (const PlotPoint& point : plot.points) {
    out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"#1f5fa8\"/>\n",
                       x.at(point.x), y.at(point.y));
    out += svg::text_at(x.at(point.x) + 7, y.at(point.y) - 6, "start", point.label);
  }
  return out + "</svg>\n";
}

}  // namespace btc
