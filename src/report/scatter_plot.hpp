#pragma once
/// A small scatter plot as SVG.

#include <optional>
#include <string>
#include <vector>

namespace btc {

struct PlotPoint {
  double x = 0;
  double y = 0;
  std::string label;
};

struct ScatterPlot {
  std::string title;
  std::string subtitle;
  std::string x_name;
  std::string y_name;
  std::vector<PlotPoint> points;
  std::optional<double> level;  ///< a horizontal line, e.g. what cannot be beaten
  std::string level_name;
};

/// Linear axes that hold every point and the level, round ticks, a label by each point.
/// @pre at least one point, all values finite
std::string scatter_svg(const ScatterPlot& plot);

}  // namespace btc
