#include "refine/distilled_model.hpp"

#include <utility>

#include "common/error.hpp"

namespace btc {
namespace {

std::vector<Matrix<float>> embedded(std::span<const DistillSample> samples) {
  std::vector<Matrix<float>> hidden;
  hidden.reserve(samples.size());
  for (const DistillSample& sample : samples) {
    hidden.push_back(sample.embedded);
  }
  return hidden;
}

}  // namespace

std::vector<float> sum_of(std::span<const DistillGradient> gradients) {
  std::vector<float> sum = gradients.front().change;
  for (const DistillGradient& gradient : gradients.subspan(1)) {
    for (std::size_t k = 0; k < sum.size(); ++k) {
      sum[k] += gradient.change[k];
    }
  }
  return sum;
}

DistilledModel::DistilledModel(const ModelSource& original, std::vector<ScaledBlock> blocks,
                               TorchPlace place)
    : config_(original.config()),
      blocks_(std::move(blocks)),
      last_(config_, original.load_block(config_.blocks - 1), place),
      head_(original, place) {
  for (const ScaledBlock& block : blocks_) {
    size_ += block.size();
  }
}

void DistilledModel::set(std::span<const float> change) {
  BTC_CHECK(change.size() == size_, change.size(), " changes for ", size_, " values");
  for (ScaledBlock& block : blocks_) {
    block.set(change.first(block.size()));
    change = change.subspan(block.size());
  }
}

void DistilledModel::restore() {
  for (ScaledBlock& block : blocks_) {
    block.restore();
  }
}

void DistilledModel::round() {
  for (ScaledBlock& block : blocks_) {
    block.round();
  }
}

std::vector<Matrix<float>> DistilledModel::through(std::size_t b,
                                                   const std::vector<Matrix<float>>& hidden) const {
  const BlockForward block(config_, blocks_[b].weights(), last_.place());
  std::vector<Matrix<float>> output;
  output.reserve(hidden.size());
  for (const Matrix<float>& input : hidden) {
    output.push_back(block.run(input.view()));
  }
  return output;
}

HeadDivergence DistilledModel::diverge(const Matrix<float>& hidden, const DistillSample& sample,
                                       bool gradient) const {
  const Matrix<float> target = last_.run(sample.last_input.view());
  return head_.divergence(hidden.view(), target.view(), gradient);
}

std::vector<double> DistilledModel::divergences(std::span<const DistillSample> samples) const {
  std::vector<Matrix<float>> hidden = embedded(samples);
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    hidden = through(b, hidden);
  }
  std::vector<double> values;
  values.reserve(samples.size());
  for (std::size_t s = 0; s < samples.size(); ++s) {
    values.push_back(diverge(hidden[s], samples[s], false).value);
  }
  return values;
}

std::vector<DistillGradient> DistilledModel::gradients(
    std::span<const DistillSample> samples) const {
  std::vector<std::vector<Matrix<float>>> inputs = {embedded(samples)};  // of every block
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    inputs.push_back(through(b, inputs.back()));
  }
  std::vector<DistillGradient> result(samples.size());
  std::vector<Matrix<float>> upstream;
  for (std::size_t s = 0; s < samples.size(); ++s) {
    HeadDivergence head = diverge(inputs.back()[s], samples[s], true);
    result[s] = {head.value, std::vector<float>(size_)};
    upstream.push_back(std::move(head.gradient));
  }
  std::size_t end = size_;
  for (std::size_t b = blocks_.size(); b-- > 0;) {
    const ScaledBlock& scaled = blocks_[b];
    const std::size_t begin = end - scaled.size();
    BlockWeights weights = scaled.weights();
    const BlockWeights zeros = zeros_like(weights);
    BlockBackward block(config_, std::move(weights), last_.place());
    for (std::size_t s = 0; s < samples.size(); ++s) {
      BlockWeights sums = zeros;
      block.forward(inputs[b][s].view(), b > 0);
      upstream[s] = block.backward(upstream[s].view(), sums);
      scaled.add_gradient(sums, std::span(result[s].change).subspan(begin, scaled.size()));
    }
    end = begin;
  }
  return result;
}

}  // namespace btc
