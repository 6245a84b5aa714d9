#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/check_input.hpp"
#include "backend/cpu/flip_search.hpp"
#include "backend/cpu/nearest_table.hpp"
#include "backend/cpu/sessions.hpp"
#include "common/error.hpp"

namespace btc {
namespace {

/// Sub-vectors of one task.
constexpr std::size_t kWeightedBlock = 256;
constexpr std::size_t kHammingBlock = 4096;

class CpuCodewords final : public CodewordSearch {
 public:
  CpuCodewords(std::span<const Pattern> codewords, int vector_length,
               std::shared_ptr<const Workers> workers)
      : vector_length_(vector_length), workers_(std::move(workers)) {
    check_codewords(codewords, vector_length);
    codewords_.assign(codewords.begin(), codewords.end());
    table_.build(codewords_, vector_length, *workers_);
    flips_ = std::make_unique<const FlipSearch>(codewords_, vector_length, table_);
  }

  [[nodiscard]] int vector_length() const override { return vector_length_; }
  [[nodiscard]] std::span<const Pattern> codewords() const override { return codewords_; }

  void nearest(std::span<const Pattern> patterns, std::span<std::uint32_t> index) const override {
    check_patterns(patterns, vector_length_);
    check_results(patterns.size(), index.size());
    workers_->for_blocks(patterns.size(), kHammingBlock, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        index[i] = table_.label(patterns[i]);
      }
    });
  }

  void nearest_weighted(std::span<const Pattern> own, MatrixView<const std::int32_t> costs,
                        std::span<std::uint32_t> index) const override {
    check_weighted_shapes(own.size(), costs, index.size(), vector_length_);
    check_patterns(own, vector_length_);
    workers_->for_blocks(own.size(), kWeightedBlock, [&](std::size_t begin, std::size_t end) {
      const auto scratch = std::make_unique_for_overwrite<FlipSearch::Scratch>();
      for (std::size_t i = begin; i < end; ++i) {
        index[i] = flips_->cheapest(own[i], costs.row(i), *scratch);
      }
    });
  }

 private:
  int vector_length_;
  std::shared_ptr<const Workers> workers_;
  std::vector<Pattern> codewords_;
  NearestTable table_;
  std::unique_ptr<const FlipSearch> flips_;
};

}  // namespace

std::unique_ptr<CodewordSearch> make_cpu_codewords(std::span<const Pattern> codewords,
                                                   int vector_length,
                                                   std::shared_ptr<const Workers> workers) {
  return std::make_unique<CpuCodewords>(codewords, vector_length, std::move(workers));
}

}  // namespace btc
