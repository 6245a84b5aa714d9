#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <future>
#include <utility>

#include "common/allocation.hpp"
#include "model/hessian_sums.hpp"
#include "model/staged_transfer.hpp"
#include "model/transformer.hpp"

namespace btc {
namespace {

/// Rows of the upper part that one product covers.
constexpr std::size_t kPanel = 1024;

/// Rows begin... of the upper part, from the panel's first column on.
at::Tensor upper_panel(const at::Tensor& total, std::size_t begin) {
  const std::int64_t m = total.size(0);
  const auto first = narrow<std::int64_t>(begin);
  const std::int64_t rows = std::min(narrow<std::int64_t>(kPanel), m - first);
  return total.narrow(0, first, rows).narrow(1, first, m - first);
}

/// total += 2 X^T X in its upper part, in panels of rows: half the work of the whole. Below the
/// diagonal it means nothing.
/// @param x [T, m]
void add_gram(const at::Tensor& x, const at::Tensor& total) {
  for (std::size_t begin = 0; std::cmp_less(begin, x.size(1)); begin += kPanel) {
    at::Tensor upper = upper_panel(total, begin);
    const auto first = narrow<std::int64_t>(begin);
    upper.addmm_(x.narrow(1, first, upper.size(0)).t(), x.narrow(1, first, upper.size(1)), 1, 2);
  }
}

/// Multiplies the upper part by `scale`, then copies it to below the diagonal. A product of a
/// matrix with its own transpose is symmetric only up to the order in which the library sums.
/// On a device.
void scale_and_mirror(const at::Tensor& total, float scale) {
  for (std::size_t begin = 0; std::cmp_less(begin, total.size(0)); begin += kPanel) {
    const at::Tensor upper = upper_panel(total, begin);
    upper.mul_(scale);
    const auto first = narrow<std::int64_t>(begin);
    const std::int64_t rows = upper.size(0);
    const std::int64_t rest = upper.size(1) - rows;
    const at::Tensor diagonal = upper.narrow(1, 0, rows);
    const at::Tensor above = at::ones({rows, rows}, diagonal.options().dtype(at::kBool)).triu();
    diagonal.copy_(at::where(above, diagonal, diagonal.t()));
    total.narrow(0, first + rows, rest)
        .narrow(1, first, rows)
        .copy_(upper.narrow(1, rows, rest).t());
  }
}

/// The same on the CPU: one pass over tiles that fit the cache, where tensor operations take three.
void scale_and_mirror(MatrixView<float> total, float scale) {
  constexpr std::size_t kTile = 64;
  const std::size_t m = total.rows();
  const auto mirror_tile = [&](std::size_t top, std::size_t left) {
    const std::size_t rows = std::min(kTile, m - top);
    const std::size_t columns = std::min(kTile, m - left);
    std::array<float, kTile * kTile> transposed;
    for (std::size_t i = 0; i < rows; ++i) {
      const auto row = total.row(top + i).subspan(left, columns);
      for (std::size_t j = top == left ? i : 0; j < columns; ++j) {
        row[j] *= scale;
        transposed[j * kTile + i] = row[j];
      }
    }
    for (std::size_t j = 0; j < columns; ++j) {
      const auto* from = transposed.data() + j * kTile;
      std::copy_n(from, top == left ? j : rows, total.row(left + j).data() + top);
    }
  };
  at::parallel_for(0, narrow<std::int64_t>(ceil_div(m, kTile)), 1,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (auto t = static_cast<std::size_t>(begin); std::cmp_less(t, end); ++t) {
                       for (std::size_t left = t * kTile; left < m; left += kTile) {
                         mirror_tile(t * kTile, left);
                       }
                     }
                   });
}

using Sums = std::array<Matrix<float>, kSharedInputs.size()>;

/// Zeros of these widths, in pages that are there already.
Sums cleared_sums(const std::array<std::size_t, kSharedInputs.size()>& widths) {
  Sums sums;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    sums.at(i) = zeros_in_large_pages<float>(widths.at(i), widths.at(i));
  }
  return sums;
}

}  // namespace

struct HessianSums::State {
  TransformerBlock block;
  StagedTransfer transfer;
  RotaryTable rotary;      ///< as long as the longest sequence so far
  std::future<Sums> host;  ///< where sums go from a device; made while it works
  Sums borrowed;           ///< what `sums` borrows on the CPU
  std::array<at::Tensor, kSharedInputs.size()> sums;  ///< [m, m]; undefined if not wanted
};

HessianSums::HessianSums(const ModelConfig& config, const BlockWeights& weights,
                         std::span<const SharedInput> wanted, TorchPlace place) {
  const c10::InferenceMode inference;
  std::array<std::size_t, kSharedInputs.size()> widths{};
  for (const SharedInput input : wanted) {
    widths.at(index_of(input)) = input_width(config, input);
  }
  std::future<Sums> host;
  if (place.on_device()) {
    host = std::async(std::launch::async, cleared_sums, widths);
  }
  state_ = std::make_unique<State>(State{TransformerBlock::borrowing(config, weights, place),
                                         StagedTransfer(place),
                                         {},
                                         std::move(host),
                                         {},
                                         {}});
  for (const SharedInput input : wanted) {
    const std::size_t width = widths.at(index_of(input));
    at::Tensor& sum = state_->sums.at(index_of(input));
    if (place.on_device()) {
      const auto m = narrow<std::int64_t>(width);
      sum = at::zeros({m, m}, options_at(place));
    } else {
      Matrix<float>& borrowed = state_->borrowed.at(index_of(input));
      borrowed = Matrix<float>(width, width);
      sum = borrow(borrowed);
    }
  }
}
HessianSums::~HessianSums() = default;
HessianSums::HessianSums(HessianSums&&) noexcept = default;
HessianSums& HessianSums::operator=(HessianSums&&) noexcept = default;

void HessianSums::add(MatrixView<const float> hidden) {
  const c10::InferenceMode inference;
  const TransformerBlock& block = state_->block;
  const auto add = [&](SharedInput input, const at::Tensor& x) {
    const at::Tensor& sum = state_->sums.at(index_of(input));
    if (sum.defined()) {
      add_gram(x, sum);
    }
  };
  const at::Tensor x = state_->transfer.send(hidden);
  const at::Tensor attention_input = block.attention_input(x);
  add(SharedInput::kQkv, attention_input);
  const at::Tensor attended = block.attend(attention_input, state_->rotary);
  add(SharedInput::kO, attended);
  const at::Tensor mlp_input = block.mlp_input(block.add_linear(x, LinearKind::kO, attended));
  add(SharedInput::kGateUp, mlp_input);
  add(SharedInput::kDown, block.gated(mlp_input));
}

std::array<Matrix<float>, kSharedInputs.size()> HessianSums::take(float scale) {
  const c10::InferenceMode inference;
  const TorchPlace place = state_->block.place();
  Sums taken;
  if (place.on_device()) {
    for (const at::Tensor& sum : state_->sums) {
      if (sum.defined()) {
        scale_and_mirror(sum, scale);
      }
    }
    taken = state_->host.get();
    for (std::size_t i = 0; i < taken.size(); ++i) {
      if (state_->sums.at(i).defined()) {
        state_->transfer.receive(state_->sums.at(i), taken.at(i).view());
      }
    }
  } else {
    taken = std::move(state_->borrowed);
    for (Matrix<float>& sum : taken) {
      scale_and_mirror(sum.view(), scale);
    }
  }
  state_.reset();
  release_kept_memory(place);
  return taken;
}

}  // namespace btc
