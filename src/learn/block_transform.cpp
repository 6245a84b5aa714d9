#include "learn/block_transform.hpp"

#include <algorithm>
#include <utility>

#include "common/rng.hpp"

namespace btc {

namespace {

std::vector<float> random_signs(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> signs(count);
  for (float& sign : signs) {
    sign = rng.below(2) == 0 ? 1.0F : -1.0F;
  }
  return signs;
}

/// One sign for each value of each key head, equal for the query heads that share it.
std::vector<float> signs_of_values(const ModelConfig& model, std::uint64_t seed) {
  const std::vector<float> values = random_signs(model.kv_heads * model.head_dim, seed);
  const std::size_t shared_by = model.heads / model.kv_heads;
  std::vector<float> signs;
  for (std::size_t head = 0; head < model.heads; ++head) {
    const auto from =
        values.begin() + static_cast<std::ptrdiff_t>(head / shared_by * model.head_dim);
    signs.insert(signs.end(), from, from + static_cast<std::ptrdiff_t>(model.head_dim));
  }
  return signs;
}

void multiply_columns(MatrixView<float> matrix, const std::vector<float>& signs) {
  for (std::size_t i = 0; i < matrix.rows(); ++i) {
    const auto row = matrix.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) {
      row[j] *= signs[j];
    }
  }
}

void multiply(std::vector<float>& values, const std::vector<float>& signs) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] *= signs[i];
  }
}

/// Values v of a head become (v D) P2: rows of v_proj, and its bias.
void merge_into_values(const ModelConfig& model, const InputTransform& transform,
                       BlockWeights& weights) {
  const std::size_t shared_by = model.heads / model.kv_heads;
  std::vector<float> signs;
  for (std::size_t head = 0; head < model.kv_heads; ++head) {
    const auto from =
        transform.sign.begin() + static_cast<std::ptrdiff_t>(head * shared_by * model.head_dim);
    signs.insert(signs.end(), from, from + static_cast<std::ptrdiff_t>(model.head_dim));
  }
  const Matrix<double> p2 = widen(transform.factors.p2);
  const std::size_t i = index_of(LinearKind::kV);
  Matrix<float> columns = transposed(weights.linear.at(i));
  multiply_columns(columns.view(), signs);
  apply_kronecker(columns.view(), {}, p2);
  weights.linear.at(i) = transposed(columns);
  std::vector<float>& bias = weights.bias.at(i);
  if (!bias.empty()) {
    multiply(bias, signs);
    apply_kronecker({bias.data(), 1, bias.size()}, {}, p2);
  }
}

/// The columns of o_proj undo what was merged into the values, in every head.
void undo_in_output(const InputTransform& transform, BlockWeights& weights) {
  Matrix<float>& output = weights.linear.at(index_of(LinearKind::kO));
  enter_transform({{}, transform.factors.p2}, output.view());
}

/// The product gate x up changes its signs with up.
void merge_into_up(const InputTransform& transform, BlockWeights& weights) {
  const std::size_t i = index_of(LinearKind::kUp);
  Matrix<float>& up = weights.linear.at(i);
  for (std::size_t row = 0; row < up.rows(); ++row) {
    for (float& value : up.row(row)) {
      value *= transform.sign[row];
    }
  }
  multiply(weights.bias.at(i), transform.sign);
}

}  // namespace

std::array<std::size_t, 2> factor_sizes(const ModelConfig& model, SharedInput input) {
  if (input == SharedInput::kO) {
    return {model.heads, model.head_dim};
  }
  try {
    return factor_pair(input_width(model, input));
  } catch (const ConfigError& error) {
    BTC_THROW(ConfigError, name_of(input), ": ", error.what());
  }
}

BlockTransform random_transform(const ModelConfig& model, const TransformParams& params,
                                std::uint64_t seed) {
  BlockTransform block;
  for (const SharedInput input : kSharedInputs) {
    const auto [a, b] = factor_sizes(model, input);
    const auto seed_of = [&](std::uint64_t part) {
      return derive_seed(seed, name_of(input), part);
    };
    InputTransform& transform = block.at(index_of(input));
    transform.sign = input == SharedInput::kO ? signs_of_values(model, seed_of(0))
                                              : random_signs(a * b, seed_of(0));
    if (!params.signs) {
      transform.sign.assign(a * b, 1.0F);
    }
    if (params.factors) {
      transform.factors.p1 = round_factor(random_orthogonal(a, seed_of(1)));
      transform.factors.p2 = round_factor(random_orthogonal(b, seed_of(2)));
    }
  }
  return block;
}

void merge_transform(const ModelConfig& model, const BlockTransform& transform,
                     BlockWeights& weights) {
  for (const LinearKind kind : kLinearKinds) {
    multiply_columns(weights.linear.at(index_of(kind)).view(),
                     transform.at(index_of(input_of(kind))).sign);
  }
  const InputTransform& output = transform.at(index_of(SharedInput::kO));
  merge_into_values(model, output, weights);
  undo_in_output(output, weights);
  merge_into_up(transform.at(index_of(SharedInput::kDown)), weights);
  multiply(weights.input_norm, transform.at(index_of(SharedInput::kQkv)).sign);
  multiply(weights.post_attention_norm, transform.at(index_of(SharedInput::kGateUp)).sign);
}

OnlineFactors online_factors(const BlockTransform& transform) {
  OnlineFactors online;
  for (const SharedInput input : kSharedInputs) {
    online.at(index_of(input)) = transform.at(index_of(input)).factors;
  }
  online.at(index_of(SharedInput::kO)).p2 = {};
  return online;
}

}  // namespace btc
