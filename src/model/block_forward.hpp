#pragma once
/// The forward pass (LibTorch behind it), fp32 throughout.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/matrix.hpp"
#include "model/hidden_states.hpp"
#include "model/model_source.hpp"
#include "model/token_forest.hpp"
#include "model/torch_place.hpp"

namespace at {
class Tensor;
}

namespace btc {

class TransformerBlock;

/// Threads of LibTorch on this rank, deterministic kernels, no TF32. Call once, before any other
/// work.
/// @pre MKL_CBWR and CUBLAS_WORKSPACE_CONFIG were set before the first LibTorch call (see
///      `model/math_mode.hpp`)
void configure_torch(int threads);
/// Version and build of LibTorch, one line.
std::string torch_description();

/// One transformer block ready to run.
class BlockForward {
 public:
  BlockForward(const ModelConfig& config, BlockWeights weights, TorchPlace place = {});
  ~BlockForward();
  BlockForward(BlockForward&&) noexcept;
  BlockForward& operator=(BlockForward&&) noexcept;
  [[nodiscard]] const TorchPlace& place() const;
  /// Sequences will have at most so many positions. `run` may then be called by several threads at
  /// once.
  void prepare(std::size_t positions) const;
  /// Output hidden states [T, hidden] of one sequence from position 0, causal attention.
  [[nodiscard]] Matrix<float> run(MatrixView<const float> hidden) const;
  /// The same, from and to bf16 at the place of the block: nothing moves between host and device.
  [[nodiscard]] HiddenStates run(const HiddenStates& hidden) const;
  /// The same for the tokens of a forest [N, hidden]. In the strict arithmetic mode the bits of a
  /// token do not depend on other trees.
  [[nodiscard]] Matrix<float> run(MatrixView<const float> hidden, const TokenForest& forest) const;
  /// Only some output rows [R, hidden]: what stands behind attention is computed for these alone.
  [[nodiscard]] Matrix<float> run(MatrixView<const float> hidden, const TokenForest& forest,
                                  std::span<const std::int64_t> rows) const;

  /// For this module, see `forward_of`.
  explicit BlockForward(TransformerBlock block);
  /// For this module: at the place of the block.
  friend at::Tensor run_block(const BlockForward& block, const at::Tensor& x);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Rows of logits that are made at once, a fixed number: a vocabulary of 128k needs 0.5 MB per row.
inline constexpr std::size_t kHeadRows = 256;

/// One id that is scored: how likely it is after row `row`.
struct HeadTarget {
  std::int64_t row = 0;
  std::int32_t id = 0;
};
/// What the head says of a target.
struct TargetScore {
  double log_probability = 0;  ///< log softmax(logits[row])[id]: fp32, as double; nats
  bool greedy = false;         ///< id is the argmax of its row; of equal logits the first counts
};

/// Final norm, head and loss of the model.
class HeadForward {
 public:
  explicit HeadForward(const ModelSource& model, TorchPlace place = {});
  ~HeadForward();
  HeadForward(HeadForward&&) noexcept;
  HeadForward& operator=(HeadForward&&) noexcept;
  /// Logits [T, vocab].
  [[nodiscard]] Matrix<float> logits(MatrixView<const float> hidden) const;
  /// -log softmax(logits[t])[target[t]] for each of the T rows: fp32 log-softmax, as double.
  [[nodiscard]] std::vector<double> nll(MatrixView<const float> hidden,
                                        std::span<const std::int32_t> targets) const;
  /// Scores in the order of the targets; several may have the same row.
  /// @throws InputError for an id outside the vocabulary
  [[nodiscard]] std::vector<TargetScore> score(MatrixView<const float> hidden,
                                               std::span<const HeadTarget> targets) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Samples `seeds.size()` sequences of `length` ids at temperature 1, one seed each, with a KV
/// cache, always on the CPU. Holds the whole model in memory. Each sequence starts with BOS, or a
/// random id if there is none. Equal seeds give equal ids whatever other sequences are in the batch
/// only if the batch size is equal: callers cut batches independently of the rank count.
std::vector<std::vector<std::int32_t>> sample_sequences(const ModelSource& model,
                                                        std::size_t length,
                                                        std::span<const std::uint64_t> seeds);

}  // namespace btc
