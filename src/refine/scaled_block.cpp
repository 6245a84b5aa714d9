#include "refine/scaled_block.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/error.hpp"
#include "common/half.hpp"
#include "common/int8_scales.hpp"
#include "refine/scale_gradient.hpp"

namespace btc {
namespace {

std::array<std::vector<float> BlockWeights::*, 4> norm_members() {
  return {&BlockWeights::input_norm, &BlockWeights::post_attention_norm, &BlockWeights::q_norm,
          &BlockWeights::k_norm};
}

}  // namespace

ScaledBlock::ScaledBlock(Linears linear, BlockWeights rest, NormGains norms, OnlineFactors online)
    : linear_(std::move(linear)), online_(std::move(online)), rest_(std::move(rest)) {
  for (Matrix<float>& dense : rest_.linear) {
    dense = {};
  }
  for (const QuantizedLinear& part : linear_) {
    const std::vector<float> units = scale_units(part);
    unit_.insert(unit_.end(), units.begin(), units.end());
  }
  for (const auto norm : norm_members()) {
    std::transform(
        (rest_.*norm).begin(), (rest_.*norm).end(), std::back_inserter(unit_),
        [&](float gain) { return norms == NormGains::kTrained ? std::fabs(gain) : 0.0F; });
  }
  for (const std::span<float> field : fields()) {
    start_.insert(start_.end(), field.begin(), field.end());
  }
  size_ = start_.size();
  BTC_CHECK(unit_.size() == size_, unit_.size(), " units for ", size_, " values");
}

std::vector<std::span<float>> ScaledBlock::fields() {
  std::vector<std::span<float>> all;
  for (QuantizedLinear& part : linear_) {
    const ScaleFields scales = scale_fields(part);
    all.insert(all.end(), {scales.alpha, scales.mu, scales.salient_alpha, scales.salient_mu,
                           scales.alpha_col, scales.salient_alpha_col, scales.group_ratio});
  }
  for (const auto norm : norm_members()) {
    all.emplace_back(rest_.*norm);
  }
  return all;
}

void ScaledBlock::set(std::span<const float> change) {
  BTC_CHECK(change.size() == size_, change.size(), " changes for ", size_, " values");
  std::size_t k = 0;
  for (const std::span<float> field : fields()) {
    for (float& value : field) {
      value = start_[k] + unit_[k] * change[k];
      ++k;
    }
  }
  for (std::size_t i = 0; i < latent_.size(); ++i) {
    const std::size_t count = latent_[i].size();
    latent_[i].choose(change.subspan(k, count), latent_unit_[i], linear_.at(i));
    k += count;
  }
}

void ScaledBlock::restore() {
  if (!latent_.empty()) {
    linear_ = encoded_;
  }
  auto value = start_.cbegin();
  for (const std::span<float> field : fields()) {
    std::copy_n(value, field.size(), field.begin());
    value += static_cast<std::ptrdiff_t>(field.size());
  }
}

void ScaledBlock::train_signs(std::vector<LatentSigns> latent, double rate) {
  BTC_CHECK(latent.size() == linear_.size(), latent.size(), " Linears with latent weights");
  restore();
  encoded_ = linear_;
  latent_ = std::move(latent);
  for (const LatentSigns& signs : latent_) {
    latent_unit_.push_back(static_cast<float>(rate * static_cast<double>(signs.unit())));
    size_ += signs.size();
  }
}

void ScaledBlock::round() {
  for (const std::span<float> field : fields()) {
    std::transform(field.begin(), field.end(), field.begin(), round_to_fp16);
  }
  for (QuantizedLinear& part : linear_) {
    if (part.int8_scales) {
      round_to_int8(part.alpha.values());
      round_to_int8(part.alpha_col);
    }
  }
}

Matrix<float> ScaledBlock::dense(std::size_t linear) const {
  Matrix<float> weights = dequantize(linear_.at(linear));
  fold_transform(online_.at(index_of(input_of(kLinearKinds.at(linear)))), weights.view());
  return weights;
}

BlockWeights ScaledBlock::weights() const {
  BlockWeights dense = rest_;
  for (std::size_t i = 0; i < linear_.size(); ++i) {
    dense.linear.at(i) = this->dense(i);
  }
  return dense;
}

Matrix<float> ScaledBlock::gradient_of_stored(const BlockWeights& gradient,
                                              std::size_t linear) const {
  Matrix<float> stored = gradient.linear.at(linear);
  unfold_gradient(online_.at(index_of(input_of(kLinearKinds.at(linear)))), stored.view());
  return stored;
}

void ScaledBlock::add_gradient(const BlockWeights& gradient, std::span<float> sums) const {
  BTC_CHECK(sums.size() == size_, sums.size(), " sums for ", size_, " values");
  std::size_t k = 0;
  const auto add = [&](const std::vector<float>& values) {
    for (const float value : values) {
      sums[k] += value * unit_[k];
      ++k;
    }
  };
  for (std::size_t i = 0; i < linear_.size(); ++i) {
    if (linear_.at(i).rows > 0) {
      const Matrix<float> stored = gradient_of_stored(gradient, i);
      add(scale_gradient(linear_.at(i), stored.view()));
    }
  }
  for (const auto norm : norm_members()) {
    add(gradient.*norm);
  }
  for (std::size_t i = 0; i < latent_.size(); ++i) {
    const Matrix<float> stored = gradient_of_stored(gradient, i);
    for (const float value : stored.values()) {
      sums[k++] += value * latent_unit_[i];
    }
  }
}

}  // namespace btc
