#include "pipeline/device_memory.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <vector>

namespace btc {
namespace {

constexpr std::uint64_t kFp32 = 4;
constexpr std::uint64_t kFp64 = 8;
/// Most elements of a slice that the backend widens to fp64 at once.
constexpr std::uint64_t kSlice = std::uint64_t{1} << 25U;
/// Of one entry of a panel: weights, reconstruction and saliency in fp32, errors and sums in fp64,
/// signs, groups and masks.
constexpr std::uint64_t kPanelEntry = 64;
/// Of one pattern: itself, its count, its assignment, and its corner of the v-cube twice.
constexpr std::uint64_t kPattern = 32;
/// Context of the driver, code, workspaces of cuBLAS and cuSOLVER.
constexpr std::uint64_t kLibraries = 600'000'000;
/// Handles and workspace of each Linear that is quantized at once.
constexpr std::uint64_t kLinearLibraries = 64'000'000;

/// Of all patterns of v signs.
std::uint64_t pattern_memory(const std::optional<CodebookParams>& codebook) {
  return codebook ? kPattern << static_cast<unsigned>(codebook->vector_length) : 0;
}

}  // namespace

std::uint64_t device_memory_of_factor(std::size_t cols) {
  return (kFp32 + 2 * kFp64) * cols * cols;
}

std::uint64_t device_memory_of_linear(std::size_t rows, std::size_t cols, std::size_t panel) {
  const std::uint64_t square = std::uint64_t{cols} * cols;
  const std::uint64_t weights = std::uint64_t{rows} * cols;
  const std::uint64_t slice = std::min(weights, kSlice);
  const std::uint64_t measuring = kFp64 * square + (kFp32 + kFp64) * slice;
  const std::uint64_t one_panel = kPanelEntry * rows * std::min(panel, cols) + kFp64 * slice;
  return kFp32 * (weights + square) + std::max(measuring, one_panel);
}

std::uint64_t device_memory_of_rank(const PipelineConfig& config, const ModelConfig& model) {
  const std::size_t panel = panel_width(config.binarize, config.codebook);
  std::uint64_t factor = 0;
  std::vector<std::uint64_t> linears;
  for (const LinearKind kind : kLinearKinds) {
    const auto [rows, cols] = linear_shape(model, kind);
    factor = std::max(factor, device_memory_of_factor(cols));
    linears.push_back(device_memory_of_linear(rows, cols, panel));
  }
  std::sort(linears.begin(), linears.end(), std::greater<>());
  linears.resize(std::min(linears.size(), narrow<std::size_t>(config.compute.threads_per_rank)));
  const std::uint64_t at_once = std::accumulate(linears.begin(), linears.end(), std::uint64_t{0});
  return std::max(factor, at_once) + pattern_memory(config.codebook) + kLibraries +
         linears.size() * kLinearLibraries;
}

}  // namespace btc
