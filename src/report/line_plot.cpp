#include "report/line_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/error.hpp"
#include "report/svg.hpp"

namespace btc {
namespace {

constexpr std::array<const char*, 8> kColours = {"#1f5fa8", "#c2571a", "#2e8540", "#8b3a9c",
                                                 "#a8861f", "#1f9ca8", "#b0305c", "#555555"};

std::string legend_entry(std::size_t i, const std::string& name) {
  const double right = svg::kWidth - svg::kRight - 10;
  const double y = svg::kTop + 16 + 18 * static_cast<double>(i);
  const std::string style =
      fmt::format("stroke=\"{}\" stroke-width=\"2\"", kColours.at(i % kColours.size()));
  return svg::line(right - 24, y, right, y, style.c_str()) +
         svg::text_at(right - 30, y + 4, "end", name);
}

}  // namespace

std::string lines_svg(const LinePlot& plot) {
  std::vector<std::pair<double, double>> all;
  for (const PlotLine& line : plot.lines) {
    all.insert(all.end(), line.points.begin(), line.points.end());
  }
  BTC_CHECK(!all.empty(), plot.title, ": nothing to draw");
  using Point = std::pair<double, double>;
  const auto [left, right] = std::ranges::minmax(all, {}, &Point::first);
  const auto [bottom, top] = std::ranges::minmax(all, {}, &Point::second);
  const svg::Axis x = svg::x_axis(left.first, right.first);
  const svg::Axis y = svg::y_axis(bottom.second, top.second);
  std::string out = svg::canvas(x, y, plot.title, plot.x_name, plot.y_name);
  for (std::size_t i = 0; i < plot.lines.size(); ++i) {
    out += fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"",
                       kColours.at(i % kColours.size()));
    for (const auto& [at_x, at_y] : plot.lines[i].points) {
      out += fmt::format("{:.1f},{:.1f} ", x.at(at_x), y.at(at_y));
    }
    out += "\"/>\n" + legend_entry(i, plot.lines[i].name);
  }
  return out + "</svg>\n";
}

}  // namespace btc
