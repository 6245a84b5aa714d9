#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "backend/check_input.hpp"
#include "backend/cpu/sessions.hpp"
#include "common/linear_code.hpp"

namespace btc {
namespace {

/// Sub-vectors of one task.
constexpr std::size_t kBlock = 256;
constexpr std::size_t kStates = 16;  // syndromes
constexpr std::uint64_t kUnreached = std::uint64_t{1} << 62U;

/// Per syndrome of the signs decided so far, the least (cost, index): cost above, index in the 16
/// bits below. Both only grow by sums that do not depend on what came before, so the least stays
/// the least, ties included.
using Paths = std::array<std::uint64_t, kStates>;

template <std::size_t Bit>
void extend(Paths& paths, Pattern own, std::uint64_t cost) {
  constexpr std::size_t kColumn = kLinearCodeColumns.at(Bit);
  constexpr std::uint64_t kIndex = Bit < kLinearCodeFree ? std::uint64_t{1} << Bit : 0;
  const std::uint64_t flip = cost << static_cast<unsigned>(kLinearCodeFree);
  const bool plus = ((own >> Bit) & 1U) != 0;
  const std::uint64_t as_minus = plus ? flip : 0;
  const std::uint64_t as_plus = (plus ? 0 : flip) + kIndex;
  Paths next;
  for (std::size_t s = 0; s < kStates; ++s) {
    next[s] = std::min(paths[s] + as_minus, paths[s ^ kColumn] + as_plus);
  }
  paths = next;
}

template <typename CostOf, std::size_t... Bits>
std::uint32_t cheapest(Pattern own, CostOf cost, std::index_sequence<Bits...> /*bits*/) {
  Paths paths;
  paths.fill(kUnreached);
  paths[0] = 0;
  (extend<Bits>(paths, own, cost(Bits)), ...);
  return static_cast<std::uint32_t>(paths[0] & ((std::uint64_t{1} << kLinearCodeFree) - 1));
}

using AllBits = std::make_index_sequence<kLinearCodeLength>;

/// The least sum of flip costs over all codewords by the Viterbi algorithm on the code's trellis.
class CpuLinearCode final : public CodewordSearch {
 public:
  explicit CpuLinearCode(std::shared_ptr<const Workers> workers)
      : workers_(std::move(workers)), codewords_(linear_code_words()) {}

  [[nodiscard]] int vector_length() const override { return kLinearCodeLength; }
  [[nodiscard]] std::span<const Pattern> codewords() const override { return codewords_; }

  void nearest(std::span<const Pattern> patterns, std::span<std::uint32_t> index) const override {
    check_patterns(patterns, kLinearCodeLength);
    check_results(patterns.size(), index.size());
    workers_->for_blocks(patterns.size(), kBlock, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        index[i] = cheapest(
            patterns[i], [](std::size_t) { return std::uint64_t{1}; }, AllBits{});
      }
    });
  }

  void nearest_weighted(std::span<const Pattern> own, MatrixView<const std::int32_t> costs,
                        std::span<std::uint32_t> index) const override {
    check_weighted_shapes(own.size(), costs, index.size(), kLinearCodeLength);
    check_patterns(own, kLinearCodeLength);
    workers_->for_blocks(own.size(), kBlock, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        const auto row = costs.row(i);
        check_flip_costs(row);
        index[i] = cheapest(
            own[i], [&](std::size_t b) { return static_cast<std::uint64_t>(row[b]); }, AllBits{});
      }
    });
  }

 private:
  std::shared_ptr<const Workers> workers_;
  std::vector<Pattern> codewords_;
};

}  // namespace

std::unique_ptr<CodewordSearch> make_cpu_linear_code(std::shared_ptr<const Workers> workers) {
  return std::make_unique<CpuLinearCode>(std::move(workers));
}

}  // namespace btc
