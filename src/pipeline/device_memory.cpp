#include "pipeline/device_memory.hpp"

#include <algorithm>

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

/// Of all patterns of v signs.
std::uint64_t pattern_memory(const std::optional<CodebookParams>& codebook) {
  return codebook ? kPattern << static_cast<unsigned>(codebook->vector_length) : 0;
}

}  // namespace

std::uint64_t device_memory_needed(std::size_t rows, std::size_t cols, std::size_t panel) {
  const std::uint64_t square = std::uint64_t{cols} * cols;
  const std::uint64_t weights = std::uint64_t{rows} * cols;
  const std::uint64_t slice = std::min(weights, kSlice);
  const std::uint64_t factorising = (kFp32 + 2 * kFp64) * square;
  const std::uint64_t measuring = kFp64 * square + (kFp32 + kFp64) * slice;
  const std::uint64_t one_panel = kPanelEntry * rows * std::min(panel, cols) + kFp64 * slice;
  return std::max(factorising, kFp32 * (weights + square) + std::max(measuring, one_panel));
}

std::uint64_t device_memory_of_rank(const PipelineConfig& config, const ModelConfig& model) {
  const std::size_t panel = panel_width(config.binarize, config.codebook);
  std::uint64_t largest = 0;
  for (const LinearKind kind : kLinearKinds) {
    const auto [rows, cols] = linear_shape(model, kind);
    largest = std::max(largest, device_memory_needed(rows, cols, panel));
  }
  return largest + pattern_memory(config.codebook) + kLibraries;
}

}  // namespace btc
