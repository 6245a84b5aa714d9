#include <ATen/core/Tensor.h>

#include <algorithm>

#include "common/matrix.hpp"
#include "learn/row_pieces.hpp"

namespace btc {
namespace {

constexpr std::int64_t kCpuEntries = std::int64_t{1} << 18;     // 1 MiB
constexpr std::int64_t kDeviceEntries = std::int64_t{1} << 26;  // 256 MiB

}  // namespace

void for_row_pieces(const at::Tensor& weights, std::size_t unit,
                    const std::function<void(std::int64_t first, std::int64_t rows)>& body) {
  const std::int64_t entries = weights.is_cpu() ? kCpuEntries : kDeviceEntries;
  const auto multiple = narrow<std::int64_t>(unit);
  const std::int64_t units = std::max<std::int64_t>(1, entries / (multiple * weights.size(1)));
  for (std::int64_t first = 0; first < weights.size(0); first += units * multiple) {
    body(first, std::min(units * multiple, weights.size(0) - first));
  }
}

}  // namespace btc
