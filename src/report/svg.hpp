#pragma once
/// Parts of a plot as SVG: the canvas, axes with round ticks, texts and lines.

#include <string>

namespace btc::svg {

inline constexpr double kWidth = 860;
inline constexpr double kHeight = 540;
inline constexpr double kLeft = 80;
inline constexpr double kRight = 30;
inline constexpr double kTop = 50;
inline constexpr double kBottom = 60;

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

/// Axes over the canvas that hold these values, with about six ticks.
Axis x_axis(double low, double high);
Axis y_axis(double low, double high);

std::string text_at(double x, double y, const char* anchor, const std::string& text,
                    const std::string& more = {});
std::string line(double x1, double y1, double x2, double y2, const char* style);

/// The empty plot, to be closed with `</svg>`.
std::string canvas(const Axis& x, const Axis& y, const std::string& title,
                   const std::string& x_name, const std::string& y_name);

}  // namespace btc::svg
