#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/log_softmax.h>

#include <algorithm>
#include <utility>

#include "model/block_gradient.hpp"
#include "model/channel_squares.hpp"
#include "model/kept_outputs.hpp"
#include "model/transformer.hpp"

namespace btc {

BlockWeights zeros_like(const BlockWeights& weights) {
  BlockWeights zeros;
  for (std::size_t i = 0; i < weights.linear.size(); ++i) {
    zeros.linear.at(i) = Matrix<float>(weights.linear.at(i).rows(), weights.linear.at(i).cols());
  }
  zeros.input_norm.resize(weights.input_norm.size());
  zeros.post_attention_norm.resize(weights.post_attention_norm.size());
  zeros.q_norm.resize(weights.q_norm.size());
  zeros.k_norm.resize(weights.k_norm.size());
  return zeros;
}

struct BlockBackward::State {
  TransformerBlock block;
  RotaryTable rotary;
  at::Tensor input, output;  ///< of the last forward pass
};

BlockBackward::BlockBackward(TransformerBlock block, const LinearMask& linears)
    : state_(std::make_unique<State>(State{std::move(block), RotaryTable{}, {}, {}})) {
  state_->block.require_gradients(linears);
}
BlockBackward::BlockBackward(const ModelConfig& config, BlockWeights weights, TorchPlace place)
    : state_(std::make_unique<State>(
          State{TransformerBlock(config, std::move(weights), place), RotaryTable{}, {}, {}})) {
  state_->block.require_gradients();
}
BlockBackward::BlockBackward(const ModelConfig& config, BlockWeights weights,
                             const LinearMask& linears, TorchPlace place)
    : BlockBackward(TransformerBlock(config, std::move(weights), place), linears) {}
BlockBackward::~BlockBackward() = default;
BlockBackward::BlockBackward(BlockBackward&&) noexcept = default;
BlockBackward& BlockBackward::operator=(BlockBackward&&) noexcept = default;

TransformerBlock& BlockBackward::block() { return state_->block; }

BlockBackward differentiated(const ModelConfig& config, const LinearTensors& linears,
                             const BlockWeights& rest, TorchPlace place, Precision precision) {
  return {TransformerBlock::of_linears(config, linears, rest, place, precision), kAllLinears};
}

LinearTensors take_gradients(BlockBackward& block) { return block.block().take_linear_gradients(); }

double BlockBackward::add_squared_error(KeptOutputs& original, std::size_t sequence,
                                        MatrixView<const float> hidden,
                                        std::span<const float> channel_weights) {
  const TorchPlace& place = state_->block.place();
  BTC_CHECK(original.place() == place, "original block on ", describe(original.place()),
            ", present block on ", describe(place));
  const at::Tensor weights = channel_weights_at(place, channel_weights, hidden.cols());
  const at::Tensor input = tensor_at(place, hidden);
  const at::Tensor wanted = original.of(sequence, input);
  const at::Tensor output = state_->block.forward(input, state_->rotary);
  at::Tensor gradient;
  double error = 0;
  {
    const at::NoGradGuard no_gradient;
    const at::Tensor difference = output - wanted;
    gradient = gradient_of_squares(difference, weights);
    error = sum_of_squares(difference, weights);
  }
  output.backward(gradient);
  return error;
}

Matrix<float> BlockBackward::forward(MatrixView<const float> hidden, bool input_gradient) {
  state_->input = tensor_at(state_->block.place(), hidden);
  state_->input.requires_grad_(input_gradient);
  state_->output = state_->block.forward(state_->input, state_->rotary);
  return to_matrix(state_->output.detach());
}

Matrix<float> BlockBackward::backward(MatrixView<const float> output_gradient) {
  BTC_CHECK(state_->output.defined(), "backward without forward");
  state_->output.backward(tensor_at(state_->block.place(), output_gradient));
  state_->output.reset();
  const at::NoGradGuard no_gradient;
  Matrix<float> gradient;
  if (state_->input.requires_grad()) {
    gradient = to_matrix(state_->input.grad());
  }
  state_->input.reset();
  return gradient;
}

void BlockBackward::take_gradients(BlockWeights& sums) {
  const at::NoGradGuard no_gradient;
  state_->block.take_gradients(sums);
}

Matrix<float> BlockBackward::backward(MatrixView<const float> output_gradient, BlockWeights& sums) {
  Matrix<float> gradient = backward(output_gradient);
  take_gradients(sums);
  return gradient;
}

struct HeadBackward::State {
  TransformerHead head;
};

HeadBackward::HeadBackward(const ModelSource& model, TorchPlace place)
    : state_(std::make_unique<State>(State{TransformerHead(model, place)})) {}
HeadBackward::~HeadBackward() = default;
HeadBackward::HeadBackward(HeadBackward&&) noexcept = default;
HeadBackward& HeadBackward::operator=(HeadBackward&&) noexcept = default;

HeadDivergence HeadBackward::divergence(MatrixView<const float> hidden,
                                        MatrixView<const float> target, bool gradient) const {
  BTC_CHECK(hidden.rows() == target.rows() && hidden.cols() == target.cols(), "hidden states [",
            hidden.rows(), ", ", hidden.cols(), "], targets [", target.rows(), ", ", target.cols(),
            "]");
  const TorchPlace& place = state_->head.place();
  HeadDivergence result;
  if (gradient) {
    result.gradient = Matrix<float>(hidden.rows(), hidden.cols());
  }
  for (std::size_t begin = 0; begin < hidden.rows(); begin += kHeadRows) {
    const std::size_t end = std::min(begin + kHeadRows, hidden.rows());
    at::Tensor expected;
    {
      const at::NoGradGuard no_gradient;
      expected = at::log_softmax(
          state_->head.logits(tensor_at(place, target.sub(begin, end, 0, target.cols()))), -1);
    }
    at::Tensor rows = tensor_at(place, hidden.sub(begin, end, 0, hidden.cols()));
    rows.requires_grad_(gradient);
    const at::Tensor predicted = at::log_softmax(state_->head.logits(rows), -1);
    const at::Tensor sum = (at::exp(expected) * (expected - predicted)).sum();
    result.value += static_cast<double>(sum.item<float>());
    if (gradient) {
      sum.backward();
      const at::NoGradGuard no_gradient;
      const auto view = result.gradient.view().sub(begin, end, 0, hidden.cols());
      borrow(MatrixView<const float>(view)).copy_(rows.grad());
    }
  }
  return result;
}

Matrix<float> HeadBackward::nll_gradient(MatrixView<const float> hidden,
                                         std::span<const std::int32_t> targets) const {
  BTC_CHECK(targets.size() <= hidden.rows(), targets.size(), " targets for ", hidden.rows(),
            " rows");
  Matrix<float> gradient(hidden.rows(), hidden.cols());
  for (std::size_t begin = 0; begin < targets.size(); begin += kHeadRows) {
    const std::size_t end = std::min(begin + kHeadRows, targets.size());
    at::Tensor rows = tensor_at(state_->head.place(), hidden.sub(begin, end, 0, hidden.cols()));
    rows.requires_grad_();
    const at::Tensor predicted = at::log_softmax(state_->head.logits(rows), -1);
    const at::Tensor columns = columns_of(targets.subspan(begin, end - begin), predicted);
    at::gather(predicted, 1, columns).sum().neg().backward();
    const at::NoGradGuard no_gradient;
    const auto view = gradient.view().sub(begin, end, 0, hidden.cols());
    borrow(MatrixView<const float>(view)).copy_(rows.grad());
  }
  return gradient;
}

}  // namespace btc
