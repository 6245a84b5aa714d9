#pragma once
/// Where one thread decodes a row of weights.

#include <cstddef>
#include <vector>

#include "generate/lanes.hpp"

namespace btc {

/// Buffers that grow to the longest row; whole lanes may be written behind the last value.
struct RowScratch {
  std::vector<float> values;  ///< the weights of a row
  std::vector<float> scales;  ///< its scales

  /// Room for `count` values and a lane more.
  static float* room(std::vector<float>& buffer, std::size_t count) {
    if (buffer.size() < count + kLanes) {
      buffer.resize(count + kLanes);
    }
    return buffer.data();
  }
};

}  // namespace btc
