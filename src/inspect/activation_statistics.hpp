#pragma once
/// What the inputs of Linears look like before and after the transform.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "backend/cpu/workers.hpp"
#include "common/ids.hpp"
#include "generate/resident_model.hpp"

namespace btc {

/// Distribution of one input of a block: every entry is divided by the root mean square of the
/// input of its token.
struct InputDistribution {
  /// Bins of |x| / rms have this width, the last one holds everything from its lower end on.
  static constexpr double kBinWidth = 0.25;
  static constexpr std::size_t kBins = 128;

  std::array<std::uint64_t, kBins> bins{};
  std::uint64_t count = 0;
  double largest = 0;     ///< of |x| / rms
  double fourth_sum = 0;  ///< of (x / rms)^4

  /// Adds the input of some tokens [T, m]; a token whose input is 0 is left out.
  void add(MatrixView<const float> inputs);
  /// 3 for a normal distribution, more with outliers.
  [[nodiscard]] double kurtosis() const;
};

struct InputStatistics {
  int block = 0;
  SharedInput input = SharedInput::kQkv;
  InputDistribution before;  ///< as the block makes it
  InputDistribution after;   ///< as its Linears take it; equal to `before` without transform
};

/// Over a text of `tokens` ids that the model itself samples at temperature 1 from its BOS (id 0
/// where there is none) with this seed. By block, then input.
std::vector<InputStatistics> activation_statistics(const ResidentModel& model,
                                                   const Workers& workers, std::size_t tokens,
                                                   std::uint64_t seed);

}  // namespace btc
