#include "report/scatter_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace btc {
namespace {

constexpr double kWidth = 860;
constexpr double kHeight = 540;
constexpr double kLeft = 80;
constexpr double kRight = 30;
constexpr double kTop = 50;
constexpr double kBottom = 60;

/// An interval of values with round ticks, drawn over an interval of pixels.
struct Axis {
  double low = 0;
  double high = 1;
  double step = 1;
  double from = 0;  ///< pixel of `low`
  double to = 1;    ///< pixel of `high`

  [[nodiscard]] double at(double value) const {
    return from + (value - low) / (high - low) * (to - from);
  }
};

/// 1, 2 or 5 times a power of ten, so that there are about six ticks.
double round_step(double span) {
  constexpr double kTicks = 6;
  const double rough = span / kTicks;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double factor = rough / power;
  return power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
}

Axis make_axis(double low, double high, double from, double to) {
  if (high <= low) {  // all values are equal
    const double margin = std::max(std::abs(low) / 10, 1e-6);
    low -= margin;
    high += margin;
  }
  const double step = round_step(high - low);
  return {std::floor(low / step) * step, std::ceil(high / step) * step, step, from, to};
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  }
  return out;
}

std::string text_at(double x, double y, const char* anchor, const std::string& text,
                    const std::string& more = {}) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y,
                     anchor, more, escaped(text));
}

std::string line(double x1, double y1, double x2, double y2, const char* style) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1,
                     x2, y2, style);
}

constexpr const char* kGrid = "stroke=\"#ddd\"";

std::string x_ticks(const Axis& axis) {
  std::string out;
  const int count = static_cast<int>(std::lround((axis.high - axis.low) / axis.step));
  for (int i = 0; i <= count; ++i) {
    const double value = axis.low + i * axis.step;
    out += line(axis.at(value), kTop, axis.at(value), kHeight - kBottom, kGrid);
    out += text_at(axis.at(value), kHeight - kBottom + 18, "middle", fmt::format("{:.6g}", value));
  }
  return out;
}

std::string y_ticks(const Axis& axis) {
  std::string out;
  const int count = static_cast<int>(std::lround((axis.high - axis.low) / axis.step));
  for (int i = 0; i <= count; ++i) {
    const double value = axis.low + i * axis.step;
    out += line(kLeft, axis.at(value), kWidth - kRight, axis.at(value), kGrid);
    out += text_at(kLeft - 8, axis.at(value) + 4, "end", fmt::format("{:.6g}", value));
  }
  return out;
}

}  // namespace

std::string scatter_svg(const ScatterPlot& plot) {
  const auto [left, right] = std::ranges::minmax(plot.points, {}, &PlotPoint::x);
  const auto [bottom, top] = std::ranges::minmax(plot.points, {}, &PlotPoint::y);
  const double level = plot.level.value_or(bottom.y);
  const Axis x = make_axis(left.x, right.x, kLeft, kWidth - kRight);
  const Axis y =
      make_axis(std::min(bottom.y, level), std::max(top.y, level), kHeight - kBottom, kTop);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
      kWidth, kHeight);
  out += x_ticks(x) + y_ticks(y);
  out += text_at(kWidth / 2, 28, "middle", plot.title, " font-size=\"16\"");
  out += text_at(kWidth / 2, kHeight - 16, "middle", plot.x_name);
  out += text_at(20, kHeight / 2, "middle", plot.y_name,
                 fmt::format(" transform=\"rotate(-90 20 {})\"", kHeight / 2));
  if (plot.level) {
    out += line(kLeft, y.at(level), kWidth - kRight, y.at(level),
                "stroke=\"#888\" stroke-dasharray=\"6 4\"");
    out += text_at(kWidth - kRight - 4, y.at(level) - 6, "end", plot.level_name);
  }
  for (const PlotPoint& point : plot.points) {
    out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"#1f5fa8\"/>\n",
                       x.at(point.x), y.at(point.y));
    out += text_at(x.at(point.x) + 7, y.at(point.y) - 6, "start", point.label);
  }
  return out + "</svg>\n";
}

}  // namespace btc
