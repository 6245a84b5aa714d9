#include "learn/transform_values.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>

#include "common/half.hpp"
#include "common/rng.hpp"

namespace btc {
namespace {

Matrix<double> start_factor(TransformStart start, std::size_t size, std::uint64_t seed) {
  if (start == TransformStart::kHaar) {
    return random_orthogonal(size, seed);
  }
  Matrix<double> identity(size, size);
  for (std::size_t i = 0; i < size; ++i) {
    identity(i, i) = 1;
  }
  return identity;
}

Matrix<float> read_factor(std::span<const float> values, std::size_t size, bool rounded) {
  Matrix<float> factor(size, size);
  for (std::size_t i = 0; i < factor.size(); ++i) {
    BTC_REQUIRE(NumericError, std::isfinite(values[i]), "transform: a factor has the value ",
                values[i]);
    factor.values()[i] = rounded ? round_to_fp16(values[i]) : values[i];
  }
  return factor;
}

Matrix<float> inverse_of(const Matrix<float>& factor) {
  const Matrix<double> inverse = invert_factor(factor);
  Matrix<float> narrowed(inverse.rows(), inverse.cols());
  std::transform(inverse.values().begin(), inverse.values().end(), narrowed.values().begin(),
                 [](double value) { return static_cast<float>(value); });
  return narrowed;
}

}  // namespace

TrainedTransform::TrainedTransform(const ModelConfig& model, const TransformParams& params,
                                   std::uint64_t seed)
    : params_(params), head_dim_(model.head_dim), shared_by_(model.heads / model.kv_heads) {
  for (const SharedInput input : kSharedInputs) {
    add_start(model, input, seed);
  }
  set(std::vector<float>(size()), false);
}

void TrainedTransform::add_start(const ModelConfig& model, SharedInput input, std::uint64_t seed) {
  const auto [a, b] = factor_sizes(model, input);
  const auto seed_of = [&](std::uint64_t part) { return derive_seed(seed, name_of(input), part); };
  Layout& layout = layout_.at(index_of(input));
  layout.repeat = input == SharedInput::kO ? shared_by_ : 1;
  layout.latent = a * b / layout.repeat;
  layout.signs = start_.size();
  const auto latent = static_cast<float>(schedule_of(params_).sign_start);
  Rng rng(seed_of(0));
  for (std::size_t i = 0; i < layout.latent; ++i) {
    const bool minus = params_.signs && params_.start == TransformStart::kHaar && rng.below(2) == 0;
    start_.push_back(minus ? -latent : latent);
  }
  const TransformStart start = params_.factors ? params_.start : TransformStart::kIdentity;
  const auto append = [&](const Matrix<double>& factor) {
    std::transform(factor.values().begin(), factor.values().end(), std::back_inserter(start_),
                   [](double value) { return static_cast<float>(value); });
  };
  layout.p1 = start_.size();
  append(start_factor(start, a, seed_of(1)));
  layout.p2 = start_.size();
  append(start_factor(start, b, seed_of(2)));
  TransformValues& values = values_.at(index_of(input));
  values.sign.resize(a * b);
  values.p1 = Matrix<float>(a, a);
  values.p2 = Matrix<float>(b, b);
}

std::size_t TrainedTransform::latent_of(const Layout& layout, std::size_t column) const {
  if (layout.repeat == 1) {
    return layout.signs + column;
  }
  return layout.signs + column / head_dim_ / layout.repeat * head_dim_ + column % head_dim_;
}

void TrainedTransform::set(std::span<const float> change, bool rounded) {
  BTC_CHECK(change.size() == size(), change.size(), " changes for ", size(), " values");
  present_.resize(size());
  std::transform(start_.begin(), start_.end(), change.begin(), present_.begin(), std::plus<>());
  for (std::size_t k = 0; k < values_.size(); ++k) {
    const Layout& layout = layout_.at(k);
    TransformValues& values = values_.at(k);
    for (std::size_t j = 0; j < values.sign.size(); ++j) {
      values.sign[j] = present_[latent_of(layout, j)] < 0 ? -1.0F : 1.0F;
    }
    const std::span<const float> all = present_;
    values.p1 = read_factor(all.subspan(layout.p1), values.p1.rows(), rounded);
    values.p2 = read_factor(all.subspan(layout.p2), values.p2.rows(), rounded);
    values.inverse1 = inverse_of(values.p1);
    values.inverse2 = inverse_of(values.p2);
  }
}

void TrainedTransform::add_gradient(
    const std::array<TransformGradient, kSharedInputs.size()>& gradient,
    std::span<float> sums) const {
  BTC_CHECK(sums.size() == size(), sums.size(), " sums for ", size(), " values");
  for (std::size_t k = 0; k < gradient.size(); ++k) {
    const TransformGradient& own = gradient.at(k);
    const Layout& layout = layout_.at(k);
    for (std::size_t j = 0; params_.signs && j < own.sign.size(); ++j) {
      const std::size_t latent = latent_of(layout, j);
      if (std::fabs(present_[latent]) <= 1) {  // straight through, clipped
        sums[latent] += own.sign[j];
      }
    }
    if (params_.factors) {
      const auto add_values = [&](const Matrix<float>& values, std::size_t first) {
        std::transform(values.values().begin(), values.values().end(),
                       sums.begin() + static_cast<std::ptrdiff_t>(first),
                       sums.begin() + static_cast<std::ptrdiff_t>(first), std::plus<>());
      };
      add_values(own.p1, layout.p1);
      add_values(own.p2, layout.p2);
    }
  }
}

BlockTransform TrainedTransform::transform() const {
  BlockTransform transform;
  for (std::size_t k = 0; k < values_.size(); ++k) {
    transform.at(k).sign = values_.at(k).sign;
    if (params_.factors) {
      transform.at(k).factors = {values_.at(k).p1, values_.at(k).p2};
    }
  }
  return transform;
}

double TrainedTransform::distance() const {
  double sum = 0;
  for (std::size_t k = 0; k < values_.size(); ++k) {
    const std::size_t end = k + 1 < layout_.size() ? layout_.at(k + 1).signs : size();
    for (std::size_t e = layout_.at(k).p1; e < end; ++e) {
      const double d = static_cast<double>(present_[e]) - static_cast<double>(start_[e]);
      sum += d * d;
    }
  }
  return std::sqrt(sum);
}

}  // namespace btc
