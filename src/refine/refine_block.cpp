#include "refine/refine_block.hpp"

#include <algorithm>
#include <utility>

#include "common/error.hpp"
#include "model/block_forward.hpp"
#include "model/block_gradient.hpp"
#include "refine/adam.hpp"
#include "refine/sequence_order.hpp"
#include "refine/training_state.hpp"

namespace btc {
namespace {

class BlockTraining {
 public:
  BlockTraining(const ModelConfig& config, BlockWeights original, ScaledBlock& block,
                const OpenSequences& open, const RefineParams& params, TorchPlace place)
      : config_(config),
        original_(BlockForward(config, std::move(original), place)),
        block_(block),
        open_(open),
        params_(params),
        state_(begin_training(block.size(), params.block_learning_rate)) {}

  [[nodiscard]] TrainingState& state() { return state_; }

  /// Loss of the block as it was encoded, on these sequences.
  double judge_start(const std::vector<std::size_t>& sequences) {
    block_.restore();
    return judge(sequences);
  }

  /// Loss of the present values, rounded, on these sequences.
  double judge_present(const std::vector<std::size_t>& sequences) {
    block_.set(state_.change);
    return judge(sequences);
  }

  void train_epoch(const std::vector<std::size_t>& order, int epoch) {
    const SequenceStream stream = open_(order);
    for_each_step(order.size(), params_.batch, epoch, params_.block_epochs,
                  [&](std::size_t first, std::size_t count, double share) {
                    take_step(stream, std::span(order).subspan(first, count), share);
                  });
  }

 private:
  double judge(const std::vector<std::size_t>& sequences) {
    block_.round();
    const BlockForward present(config_, block_.weights(), original_.place());
    return relative_block_error({original_}, present, open_, sequences);
  }

  void take_step(const SequenceStream& stream, std::span<const std::size_t> sequences,
                 double share) {
    block_.set(state_.change);
    BlockWeights weights = block_.weights();
    BlockWeights sums = zeros_like(weights);
    BlockBackward present(config_, std::move(weights), original_.place());
    const double error = add_squared_errors({original_}, present, stream, sequences);
    present.take_gradients(sums);
    std::vector<float> gradient(state_.change.size());
    block_.add_gradient(sums, gradient);
    const auto scale = static_cast<float>(error > 0 ? 1 / error : 0);  // of the logarithm
    for (float& g : gradient) {
      g *= scale;
    }
    training_step(gradient, share, state_);
  }

  const ModelConfig& config_;
  KeptOutputs original_;
  ScaledBlock& block_;
  const OpenSequences& open_;
  const RefineParams& params_;
  TrainingState state_;
};

}  // namespace

RefineReport refine_block(const ModelConfig& config, BlockWeights original, ScaledBlock& block,
                          std::size_t sequences, const OpenSequences& open,
                          const RefineParams& params, std::uint64_t seed, const EpochReport& report,
                          TorchPlace place) {
  const SequenceSplit split = split_sequences(sequences);
  BlockTraining training(config, std::move(original), block, open, params, place);
  TrainingState& state = training.state();
  const double start = state.best_loss = training.judge_start(split.held_out);
  for (int epoch = 0; epoch < params.block_epochs; ++epoch) {
    training.train_epoch(shuffled(split.training, seed, epoch), epoch);
    const double loss = training.judge_present(split.held_out);
    judge_epoch(loss, epoch + 1, state);
    report(epoch + 1, loss);
  }
  leave_best(state, block);
  return {start, state.best_loss, state.best_epoch, state.recoveries};
}

}  // namespace btc
