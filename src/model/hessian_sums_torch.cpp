#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <utility>

#include "model/hessian_sums.hpp"
#include "model/transformer.hpp"

namespace btc {
namespace {

/// Rows of the upper part that one product covers.
constexpr std::size_t kPanel = 1024;

/// Copies the upper triangle of a square block onto the lower one. A product of a matrix with its
/// own transpose is symmetric only up to the order in which the library sums.
void mirror(MatrixView<float> square) {
  for (std::size_t i = 0; i < square.rows(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      square(i, j) = square(j, i);
    }
  }
}

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

/// Makes the part below the diagonal equal to the one above it.
void mirror_panels(Matrix<float>& sum) {
  const at::Tensor total = borrow(sum);
  for (std::size_t begin = 0; begin < sum.rows(); begin += kPanel) {
    const std::size_t end = std::min(begin + kPanel, sum.rows());
    mirror(sum.view().sub(begin, end, begin, end));
    const auto first = narrow<std::int64_t>(begin);
    const auto rows = narrow<std::int64_t>(end - begin);
    const auto rest = narrow<std::int64_t>(sum.rows() - end);
    total.narrow(0, first + rows, rest)
        .narrow(1, first, rows)
        .copy_(upper_panel(total, begin).narrow(1, rows, rest).t());
  }
}

}  // namespace

struct HessianSums::State {
  TransformerBlock block;
  RotaryTable rotary;  ///< as long as the longest sequence so far
  TorchPlace place;
  std::array<Matrix<float>, kSharedInputs.size()> host;  ///< what `sums` borrows on the CPU
  std::array<at::Tensor, kSharedInputs.size()> sums;     ///< [m, m]; undefined if not wanted
};

HessianSums::HessianSums(const ModelConfig& config, BlockWeights weights,
                         std::span<const SharedInput> wanted, TorchPlace place) {
  const c10::InferenceMode inference;
  state_ = std::make_unique<State>(
      State{TransformerBlock(config, std::move(weights), place), {}, place, {}, {}});
  for (const SharedInput input : wanted) {
    const std::size_t width = input_width(config, input);
    Matrix<float>& host = state_->host.at(index_of(input));
    if (place.on_device()) {
      const auto m = narrow<std::int64_t>(width);
      state_->sums.at(index_of(input)) = at::zeros({m, m}, options_at(place));
    } else {
      host = Matrix<float>(width, width);
      state_->sums.at(index_of(input)) = borrow(host);
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
  const at::Tensor x = tensor_at(state_->place, hidden);
  const at::Tensor attention_input = block.attention_input(x);
  add(SharedInput::kQkv, attention_input);
  const at::Tensor attended = block.attend(attention_input, state_->rotary);
  add(SharedInput::kO, attended);
  const at::Tensor mlp_input = block.mlp_input(block.add_linear(x, LinearKind::kO, attended));
  add(SharedInput::kGateUp, mlp_input);
  add(SharedInput::kDown, block.gated(mlp_input));
}

std::array<Matrix<float>, kSharedInputs.size()> HessianSums::take() {
  const c10::InferenceMode inference;
  for (std::size_t i = 0; i < state_->sums.size(); ++i) {
    at::Tensor& sum = state_->sums.at(i);
    if (!sum.defined()) {
      continue;
    }
    if (state_->place.on_device()) {
      state_->host.at(i) = to_matrix(sum);
    }
    sum.reset();
    mirror_panels(state_->host.at(i));
  }
  auto sums = std::move(state_->host);
  const TorchPlace place = state_->place;
  state_.reset();
  release_kept_memory(place);
  return sums;
}

}  // namespace btc
