#pragma once
/// The trained values of a block's transform: one flat vector of changes, and what it means.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "learn/block_transform.hpp"

namespace btc {

/// T of one input with the inverses of its factors.
struct TransformValues {
  std::vector<float> sign;  ///< [m], D
  Matrix<float> p1, p2;     ///< [a, a], [b, b]
  Matrix<float> inverse1, inverse2;
};

/// dL/dD (by entry), dL/dP1, dL/dP2.
struct TransformGradient {
  std::vector<float> sign;
  Matrix<float> p1, p2;
};

/// For each input latent signs (the sign is theirs), P1 and P2, one after the other.
class TrainedTransform {
 public:
  TrainedTransform(const ModelConfig& model, const TransformParams& params, std::uint64_t seed);

  [[nodiscard]] std::size_t size() const { return start_.size(); }
  /// @param change from the start [size()]; @param rounded with factors as they would be stored
  /// @throws NumericError if a factor is not finite or its condition number above `kMaxCondition`
  void set(std::span<const float> change, bool rounded);
  [[nodiscard]] const TransformValues& values(SharedInput input) const {
    return values_.at(index_of(input));
  }
  /// Adds the gradient for the changes to `sums` [size()].
  void add_gradient(const std::array<TransformGradient, kSharedInputs.size()>& gradient,
                    std::span<float> sums) const;
  /// The present transform; factors are empty where only signs are learned.
  [[nodiscard]] BlockTransform transform() const;
  /// Frobenius distance of the present factors from the start.
  [[nodiscard]] double distance() const;

 private:
  struct Layout {
    std::size_t signs = 0, p1 = 0, p2 = 0;  ///< first value of each part
    std::size_t latent = 0;                 ///< number of latent signs
    std::size_t repeat = 1;                 ///< query heads that share a sign (`o`)
  };
  void add_start(const ModelConfig& model, SharedInput input, std::uint64_t seed);
  [[nodiscard]] std::size_t latent_of(const Layout& layout, std::size_t column) const;

  TransformParams params_;
  std::size_t head_dim_, shared_by_;
  std::vector<float> start_, present_;
  std::array<Layout, kSharedInputs.size()> layout_;
  std::array<TransformValues, kSharedInputs.size()> values_;
};

}  // namespace btc
