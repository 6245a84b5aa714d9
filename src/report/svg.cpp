#include "report/svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace btc::svg {
namespace {

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

Axis x_axis(double low, double high) { return make_axis(low, high, kLeft, kWidth - kRight); }
Axis y_axis(double low, double high) { return make_axis(low, high, kHeight - kBottom, kTop); }

std::string text_at(double x, double y, const char* anchor, const std::string& text,
                    const std::string& more) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y,
                     anchor, more, escaped(text));
}

std::string line(double x1, double y1, double x2, double y2, const char* style) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1,
                     x2, y2, style);
}

std::string canvas(const Axis& x, const Axis& y, const std::string& title,
                   const std::string& x_name, const std::string& y_name) {
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
      kWidth, kHeight);
  out += x_ticks(x) + y_ticks(y);
  out += text_at(kWidth / 2, 26, "middle", title, " font-size=\"16\"");
  out += text_at(kWidth / 2, kHeight - 16, "middle", x_name);
  out += text_at(20, kHeight / 2, "middle", y_name,
                 fmt::format(" transform=\"rotate(-90 20 {})\"", kHeight / 2));
  return out;
}

}  // namespace btc::svg
