#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cstdint>

#include "common/error.hpp"
#include "learn/cheap_binarizer.hpp"
#include "learn/row_pieces.hpp"
#include "model/linear_tensors.hpp"
#include "quant/split_points.hpp"

namespace btc {
namespace {

/// Group of the columns that fill up the last panel; at most 4 groups are asked for.
constexpr std::uint8_t kNoGroup = 255;

/// [n, m] as [n, panels, k]; the last panel is filled up with `value`.
at::Tensor cut(const at::Tensor& x, std::int64_t k, double value) {
  const std::int64_t missing = (k - x.size(1) % k) % k;
  return (missing > 0 ? at::constant_pad_nd(x, {0, missing}, value) : x)
      .reshape({x.size(0), -1, k});
}

/// The way back, to m columns.
at::Tensor joined(const at::Tensor& x, std::int64_t m) {
  return x.reshape({x.size(0), -1}).narrow(1, 0, m);
}

/// 1 where an entry is in this cell or group, else 0; fp32, since products with it are fast.
at::Tensor mask_of(const at::Tensor& cell, int own) { return (cell == own).to(at::kFloat); }

/// [n, panels, 1]
at::Tensor panel_sums(const at::Tensor& x) { return at::sum(x, -1, true); }

/// Means of the row, panel and group of every entry; 0 without group.
at::Tensor group_means(const at::Tensor& x, const at::Tensor& group, int groups) {
  at::Tensor means = at::zeros_like(x);
  for (int g = 0; g < groups; ++g) {
    const at::Tensor own = mask_of(group, g);
    means.addcmul_(own, panel_sums(x * own) / panel_sums(own).clamp_min_(1));
  }
  return means;
}

/// Of the entries of one sign in each row, panel and group [n, panels, 1].
struct SignSums {
  at::Tensor sum, count;
};

/// Groups [n, m] of weights in memory of the host.
Matrix<std::uint8_t> groups_of(MatrixView<const float> weights, const BinarizeParams& params,
                               std::size_t panel) {
  Matrix<std::uint8_t> group(weights.rows(), weights.cols());
  const auto group_panel = [&](std::size_t begin) {
    const std::size_t end = std::min(begin + panel, weights.cols());
    const auto w = weights.columns(begin, end);
    const auto own = group.view().columns(begin, end);
    const Matrix<float> thresholds = magnitude_thresholds(w, own, params);
    group_by_thresholds(w, thresholds.view(), own);
  };
  const auto panels = narrow<std::int64_t>(ceil_div(weights.cols(), panel));
  at::parallel_for(0, panels, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t p = first; p < last; ++p) {
      group_panel(static_cast<std::size_t>(p) * panel);
    }
  });
  return group;
}

}  // namespace

struct CheapBinarizer::State {
  BinarizeParams params;
  std::int64_t panel;
  bool mean;              ///< whether scales have one
  std::int64_t cols = 0;  ///< of the weights
  at::Tensor group{};     ///< [n, panels, k]
  at::Tensor cell{};      ///< the same: 2 group, and 1 more where B is +1; none before signs

  [[nodiscard]] int groups() const { return params.split_points + 1; }
  [[nodiscard]] at::Tensor cut(const at::Tensor& x) const { return btc::cut(x, panel, 0); }
};

CheapBinarizer::CheapBinarizer(const BinarizeParams& params, std::size_t panel)
    : state_(std::make_unique<State>(
          State{params, narrow<std::int64_t>(panel), params.scales == ScaleLayout::kPanel})) {
  if (params.split_rule != SplitRule::kFraction) {
    state_->params.split_rule = SplitRule::kMagnitude;
  }
}
CheapBinarizer::~CheapBinarizer() = default;
CheapBinarizer::CheapBinarizer(CheapBinarizer&&) noexcept = default;
CheapBinarizer& CheapBinarizer::operator=(CheapBinarizer&&) noexcept = default;

void CheapBinarizer::regroup(const at::Tensor& weights) {
  const at::NoGradGuard no_gradient;
  state_->cols = weights.size(1);
  Matrix<std::uint8_t> group(narrow<std::size_t>(weights.size(0)),
                             narrow<std::size_t>(weights.size(1)));
  if (state_->params.split_points > 0) {
    const Matrix<float> host = to_matrix(weights);
    group = groups_of(host.view(), state_->params, narrow<std::size_t>(state_->panel));
  }
  const at::Tensor groups = at::from_blob(group.data(), weights.sizes(), at::kByte);
  state_->cell.reset();
  state_->group = cut(groups, state_->panel, kNoGroup).to(weights.device(), at::kByte, false, true);
}

void CheapBinarizer::choose_signs(const at::Tensor& weights) {
  const at::NoGradGuard no_gradient;
  BTC_CHECK(state_->group.defined() && state_->cols == weights.size(1) &&
                state_->group.size(0) == weights.size(0),
            "weights were not grouped");
  state_->cell = at::empty_like(state_->group);
  for_row_pieces(weights, 1, [&](std::int64_t first, std::int64_t rows) {
    const at::Tensor w = state_->cut(weights.narrow(0, first, rows));
    const at::Tensor group = state_->group.narrow(0, first, rows);
    const at::Tensor plus = state_->mean ? w >= group_means(w, group, state_->groups()) : w >= 0;
    state_->cell.narrow(0, first, rows)
        .copy_(group * 2 + plus)
        .masked_fill_(group == kNoGroup, kNoGroup);
  });
}

at::Tensor CheapBinarizer::project(const at::Tensor& x, std::int64_t first) const {
  const at::NoGradGuard no_gradient;
  BTC_CHECK(state_->cell.defined() && state_->cols == x.size(1) &&
                first + x.size(0) <= state_->cell.size(0),
            "weights have no signs");
  const at::Tensor own = state_->cut(x);
  const at::Tensor cell = state_->cell.narrow(0, first, x.size(0));
  at::Tensor result = at::zeros_like(own);
  for (int g = 0; g < state_->groups(); ++g) {
    const at::Tensor minus = mask_of(cell, 2 * g);
    const at::Tensor plus = mask_of(cell, 2 * g + 1);
    const SignSums below{panel_sums(own * minus), panel_sums(minus)};
    const SignSums above{panel_sums(own * plus), panel_sums(plus)};
    if (state_->mean) {  // mu and alpha make the value of each sign the mean of its entries
      result.addcmul_(minus, below.sum / below.count.clamp_min(1));
      result.addcmul_(plus, above.sum / above.count.clamp_min(1));
    } else {
      const at::Tensor alpha = (above.sum - below.sum) / (above.count + below.count).clamp_min(1);
      result.addcmul_(plus - minus, alpha);
    }
  }
  return joined(result, state_->cols);
}

}  // namespace btc
