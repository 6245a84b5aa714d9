#pragma once
/// The forward pass of one sequence that grows token by token, on the CPU, fp32.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "backend/cpu/workers.hpp"
#include "generate/resident_model.hpp"
#include "model/key_value_cache.hpp"
#include "model/rotary.hpp"

namespace btc {

/// Sees the input of Linears [T, m]: as the block makes it, and as it is after the transform.
using InputObserver = std::function<void(int block, SharedInput input, MatrixView<const float>,
                                         MatrixView<const float>)>;

/// Keys and values of all positions so far are kept, so a token costs one pass over the weights.
class IncrementalForward {
 public:
  /// @param model, workers must outlive this object
  /// @param length tokens at most
  IncrementalForward(const ResidentModel& model, const Workers& workers, std::size_t length);

  /// Appends tokens to the sequence.
  /// @return logits [vocab] after the last of them
  /// @pre ids is not empty, the sequence stays within `length`
  /// @throws InputError for an id outside the vocabulary
  std::vector<float> append(std::span<const std::int32_t> ids);
  [[nodiscard]] std::size_t position() const { return position_; }
  /// Bytes of the key/value cache.
  [[nodiscard]] std::size_t cache_bytes() const;
  /// Calls `observer` for every input from now on; an empty one ends that.
  void observe(InputObserver observer) { observer_ = std::move(observer); }

 private:
  void forward_block(std::size_t b, Matrix<float>& x);
  void pass_transform(std::size_t b, SharedInput input, Matrix<float>& x) const;
  void rotate(Matrix<float>& heads) const;
  void normalise_heads(Matrix<float>& heads, std::span<const float> gain) const;
  Matrix<float> attend(std::size_t b, const Matrix<float>& q, const Matrix<float>& k,
                       const Matrix<float>& v);
  [[nodiscard]] Matrix<float> product(std::size_t b, LinearKind kind, const Matrix<float>& x) const;
  [[nodiscard]] std::vector<Matrix<float>> products(std::size_t b,
                                                    std::span<const LinearKind> kinds,
                                                    const Matrix<float>& x) const;

  const ResidentModel& model_;
  const Workers& workers_;
  std::size_t length_;
  std::size_t position_ = 0;
  RotaryTable rotary_;
  std::vector<KeyValueCache> caches_;
  InputObserver observer_;
};

}  // namespace btc
