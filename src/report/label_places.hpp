#pragma once
/// Where the labels of a plot's points stand, so that they can be read.

#include <vector>

#include "report/scatter_plot.hpp"

namespace btc {

/// Where a text begins, by its baseline, and how wide it is by estimate.
struct LabelPlace {
  double x = 0;
  double y = 0;
  double width = 0;
  bool moved = false;  ///< away from its point: a line should join them
};

/// One place for each point, in their order; all in pixels, y pointing down. Each takes the first
/// place around its point, nearest first, where it covers no point and no earlier label and lies
/// within [left, right] and [top, bottom]; where there is none, the nearest.
std::vector<LabelPlace> place_labels(const std::vector<PlotPoint>& points, double left,
                                     double right, double top, double bottom);

}  // namespace btc
