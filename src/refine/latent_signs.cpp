#include "refine/latent_signs.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "backend/entry.hpp"
#include "common/error.hpp"

namespace btc {
namespace {

/// Scale and mean of an entry outside the salient columns.
EntryScale scale_of(const QuantizedLinear& linear, std::size_t i, std::size_t j) {
  const std::size_t group = linear.groups == 1 ? 0 : linear.group(i, j);
  const std::size_t column = j / linear.panel * linear.groups + group;
  const float mean = (linear.mu.empty() ? 0.0F : linear.mu(i, column)) +
                     (linear.mu_col.empty() ? 0.0F : linear.mu_col[j]);
  return {linear.entry_alpha(i, group, j), mean};
}

}  // namespace

LatentSigns::LatentSigns(const QuantizedLinear& linear, MatrixView<const float> original,
                         const CodewordSearch* codewords)
    : start_(dequantize(linear)), codewords_(codewords) {
  BTC_CHECK(linear.salient_columns.empty(), "signs of salient columns have no latent weights");
  BTC_CHECK(original.rows() == linear.rows && original.cols() == linear.cols, "weights of ",
            original.rows(), " x ", original.cols(), " for a Linear of ", linear.rows, " x ",
            linear.cols);
  double sum = 0;
  for (std::size_t i = 0; i < linear.rows; ++i) {
    for (std::size_t j = 0; j < linear.cols; ++j) {
      sum += std::abs(static_cast<double>(original(i, j)));
      start_(i, j) = 0.5F * (start_(i, j) + original(i, j));
    }
  }
  const bool row_scales = linear.panel == linear.cols && linear.mu.empty();
  if (codewords != nullptr && linear.groups == 2 && row_scales) {
    for (std::size_t i = 0; i < linear.rows; ++i) {
      const auto groups = linear.group.row(i);
      upper_size_.push_back(std::count(groups.begin(), groups.end(), std::uint8_t{1}));
    }
  }
  unit_ = static_cast<float>(sum / static_cast<double>(linear.rows * linear.cols));
}

void LatentSigns::choose(std::span<const float> change, float unit, QuantizedLinear& linear) const {
  BTC_CHECK(change.size() == size(), change.size(), " changes for ", size(), " latent weights");
  std::vector<float> latent(linear.cols);
  for (std::size_t i = 0; i < linear.rows; ++i) {
    for (std::size_t j = 0; j < linear.cols; ++j) {
      latent[j] = start_(i, j) + unit * change[i * linear.cols + j];
    }
    if (!upper_size_.empty()) {
      choose_groups(i, latent, linear);
    }
    if (codewords_ != nullptr) {
      choose_codewords(i, latent, linear);
      continue;
    }
    for (std::size_t j = 0; j < linear.cols; ++j) {
      linear.signs.set(i, j, entry_sign(latent[j], scale_of(linear, i, j)));
    }
  }
}

void LatentSigns::choose_groups(std::size_t row, std::span<const float> latent,
                                QuantizedLinear& linear) const {
  std::vector<std::pair<float, std::uint32_t>> order(linear.cols);
  for (std::size_t j = 0; j < linear.cols; ++j) {
    const float scale = linear.alpha_col.empty() ? 1.0F : std::fabs(linear.alpha_col[j]);
    order[j] = {-std::fabs(latent[j]) / std::max(scale, 1e-6F), narrow<std::uint32_t>(j)};
  }
  const auto groups = linear.group.row(row);
  std::fill(groups.begin(), groups.end(), std::uint8_t{0});
  const auto upper_end = order.begin() + upper_size_[row];
  std::nth_element(order.begin(), upper_end, order.end());
  std::for_each(order.begin(), upper_end,
                [&](const auto& entry) { groups[entry.second] = std::uint8_t{1}; });
}

void LatentSigns::choose_codewords(std::size_t row, std::span<const float> latent,
                                   QuantizedLinear& linear) const {
  const auto v = static_cast<std::size_t>(linear.vector_length);
  const std::size_t count = ceil_div(linear.cols, v);
  std::vector<Pattern> own(count);
  Matrix<std::int32_t> costs(count, v);
  std::vector<float> cost(v);
  for (std::size_t k = 0; k < count; ++k) {
    for (std::size_t b = 0; b < v; ++b) {
      const std::size_t j = k * v + b;
      if (j >= linear.cols) {  // padding of the last sub-vector: +1, at no cost
        own[k] |= Pattern{1} << b;
        cost[b] = 0;
        continue;
      }
      const EntryScale scale = scale_of(linear, row, j);
      own[k] |= Pattern{entry_sign(latent[j], scale)} << b;
      cost[b] = entry_flip_cost(latent[j], scale, 1.0F);
    }
    round_costs(cost, costs.row(k));
  }
  codewords_->nearest_weighted(own, costs.view(), linear.index.row(row));
  const auto codewords = codewords_->codewords();
  for (std::size_t k = 0; k < count; ++k) {
    linear.signs.set_pattern(row, k * v, linear.vector_length, codewords[linear.index(row, k)]);
  }
}

}  // namespace btc
