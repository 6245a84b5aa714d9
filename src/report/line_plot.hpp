#pragma once
/// Lines over one axis as SVG.

#include <string>
#include <utility>
#include <vector>

namespace btc {

/// One line, with its name in the legend.
struct PlotLine {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< (x, y), joined in this order
};

struct LinePlot {
  std::string title;
  std::string x_name;
  std::string y_name;
  std::vector<PlotLine> lines;
};

/// Linear axes that hold every point, round ticks, a legend at the upper right.
/// @pre at least one point, all values finite
std::string lines_svg(const LinePlot& plot);

}  // namespace btc
