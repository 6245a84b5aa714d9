#include "learn/transformed_block.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/half.hpp"
#include "common/rng.hpp"
#include "learn/value_rows.hpp"

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

void multiply_rows(const std::vector<float>& sign, Matrix<float>& weights) {
  for (std::size_t i = 0; i < weights.rows(); ++i) {
    for (float& w : weights.row(i)) {
      w *= sign[i];
    }
  }
}

/// Adds the product of each row of a with that of b.
void add_row_products(const Matrix<float>& a, const Matrix<float>& b, std::vector<float>& sums) {
  for (std::size_t i = 0; i < a.rows(); ++i) {
    for (std::size_t j = 0; j < a.cols(); ++j) {
      sums[i] += a(i, j) * b(i, j);
    }
  }
}

}  // namespace

TransformedBlock::TransformedBlock(const ModelConfig& model, BlockWeights original,
                                   const TransformParams& params, const BinarizeParams& binarize,
                                   std::size_t panel, std::uint64_t seed)
    : original_(std::move(original)),
      params_(params),
      head_dim_(model.head_dim),
      shared_by_(model.heads / model.kv_heads) {
  for (const SharedInput input : kSharedInputs) {
    add_start(model, input, seed);
  }
  for (const Matrix<float>& weights : original_.linear) {
    binarizers_.emplace_back(binarize, panel == 0 ? weights.cols() : panel);
  }
  set(std::vector<float>(size()), false);
}

void TransformedBlock::add_start(const ModelConfig& model, SharedInput input, std::uint64_t seed) {
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

std::size_t TransformedBlock::latent_of(const Layout& layout, std::size_t column) const {
  if (layout.repeat == 1) {
    return layout.signs + column;
  }
  return layout.signs + column / head_dim_ / layout.repeat * head_dim_ + column % head_dim_;
}

void TransformedBlock::set(std::span<const float> change, bool rounded) {
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
  enter();
}

Matrix<float> TransformedBlock::merged(LinearKind kind) const {
  Matrix<float> weights = original_.linear.at(index_of(kind));
  if (kind == LinearKind::kV) {
    return enter_values(values_.at(index_of(SharedInput::kO)), shared_by_, weights.view());
  }
  if (kind == LinearKind::kUp) {
    multiply_rows(values_.at(index_of(SharedInput::kDown)).sign, weights);
  }
  return weights;
}

void TransformedBlock::enter() {
  for (const LinearKind kind : kLinearKinds) {
    entered_.at(index_of(kind)) =
        enter_rows(values_.at(index_of(input_of(kind))), merged(kind).view());
  }
}

void TransformedBlock::regroup() {
  for (std::size_t i = 0; i < entered_.size(); ++i) {
    binarizers_[i].regroup(entered_.at(i).view());
  }
}

void TransformedBlock::choose_signs() {
  for (std::size_t i = 0; i < entered_.size(); ++i) {
    binarizers_[i].choose_signs(entered_.at(i).view());
  }
}

BlockWeights TransformedBlock::effective() const {
  BlockWeights weights = original_;
  for (const LinearKind kind : kLinearKinds) {
    const std::size_t i = index_of(kind);
    Matrix<float>& own = weights.linear.at(i);
    own = fold_rows(values_.at(index_of(input_of(kind))),
                    binarizers_[i].project(entered_.at(i).view()).view());
    if (kind == LinearKind::kV) {
      own = leave_values(values_.at(index_of(SharedInput::kO)), shared_by_, own.view());
    } else if (kind == LinearKind::kUp) {
      multiply_rows(values_.at(index_of(SharedInput::kDown)).sign, own);
    }
  }
  return weights;
}

void TransformedBlock::add_gradient(const BlockWeights& gradient, std::span<float> sums) const {
  std::array<TransformGradient, kSharedInputs.size()> all;
  std::transform(values_.begin(), values_.end(), all.begin(), no_gradient);
  for (const LinearKind kind : kLinearKinds) {
    const std::size_t i = index_of(kind);
    const std::size_t input = index_of(input_of(kind));
    const Matrix<float> quantized = binarizers_[i].project(entered_.at(i).view());
    Matrix<float> own = gradient.linear.at(i);
    if (kind == LinearKind::kV) {
      const std::size_t output = index_of(SharedInput::kO);
      own = add_leave_gradient(values_.at(output), shared_by_,
                               fold_rows(values_.at(input), quantized.view()).view(), own.view(),
                               all.at(output));
    } else if (kind == LinearKind::kUp) {
      TransformGradient& down = all.at(index_of(SharedInput::kDown));
      add_row_products(own, fold_rows(values_.at(input), quantized.view()), down.sign);
      multiply_rows(values_.at(index_of(SharedInput::kDown)).sign, own);
    }
    own = add_fold_gradient(values_.at(input), quantized.view(), own.view(), all.at(input));
    add_entered_gradient(kind, binarizers_[i].project(own.view()).view(), all);
  }
  add_to(all, sums);
}

void TransformedBlock::add_entered_gradient(
    LinearKind kind, MatrixView<const float> gradient,
    std::array<TransformGradient, kSharedInputs.size()>& sums) const {
  const std::size_t input = index_of(input_of(kind));
  const Matrix<float>& original = original_.linear.at(index_of(kind));
  const Matrix<float> own =
      add_enter_gradient(values_.at(input), merged(kind).view(), gradient, sums.at(input));
  if (kind == LinearKind::kV) {
    const std::size_t output = index_of(SharedInput::kO);
    add_value_gradient(values_.at(output), shared_by_, original.view(), own.view(),
                       sums.at(output));
  } else if (kind == LinearKind::kUp) {
    add_row_products(own, original, sums.at(index_of(SharedInput::kDown)).sign);
  }
}

SignLosses TransformedBlock::add_sign_gradient(std::size_t vector_length,
                                               const TransformParams& params,
                                               std::span<float> sums) const {
  std::array<TransformGradient, kSharedInputs.size()> all;
  std::transform(values_.begin(), values_.end(), all.begin(), no_gradient);
  constexpr auto kCount = static_cast<double>(kLinearKinds.size());
  SignLosses mean;
  for (const LinearKind kind : kLinearKinds) {
    const Matrix<float>& weights = entered_.at(index_of(kind));
    Matrix<float> gradient(weights.rows(), weights.cols());
    const SignLosses own =
        add_sign_losses(weights.view(), vector_length, static_cast<std::size_t>(params.eigenvalues),
                        params.similarity / kCount, params.balance / kCount, gradient.view());
    mean.similarity += own.similarity / kCount;
    mean.balance += own.balance / kCount;
    add_entered_gradient(kind, gradient.view(), all);
  }
  add_to(all, sums);
  return mean;
}

void TransformedBlock::add_to(const std::array<TransformGradient, kSharedInputs.size()>& gradient,
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

BlockTransform TransformedBlock::transform() const {
  BlockTransform transform;
  for (std::size_t k = 0; k < values_.size(); ++k) {
    transform.at(k).sign = values_.at(k).sign;
    if (params_.factors) {
      transform.at(k).factors = {values_.at(k).p1, values_.at(k).p2};
    }
  }
  return transform;
}

double TransformedBlock::distance() const {
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
