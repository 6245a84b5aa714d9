#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/log_softmax.h>
#include <c10/core/InferenceMode.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/error.hpp"
#include "model/block_forward.hpp"
#include "model/transformer.hpp"

namespace btc {

void configure_torch(int threads) {
  BTC_CHECK(threads >= 1, "threads ", threads);
  at::set_num_threads(threads);
  if (at::get_num_interop_threads() != 1) {
    at::set_num_interop_threads(1);
  }
  at::globalContext().setDeterministicAlgorithms(true, false);
  // Every buffer is written before it is read; filling it first would only cost time.
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  at::globalContext().setDeterministicMkldnn(true);
}

std::string torch_description() {
  std::string mkl = at::get_mkl_version();
  mkl = mkl.substr(0, mkl.find('\n'));
  return concat("LibTorch ", TORCH_VERSION, ", ", mkl, ", CPU capability ",
                at::get_cpu_capability());
}

struct BlockForward::State {
  TransformerBlock block;
  RotaryTable rotary;  ///< as long as the longest sequence so far
};

BlockForward::BlockForward(const ModelConfig& config, BlockWeights weights) {
  const c10::InferenceMode inference;
  state_ =
      std::make_unique<State>(State{TransformerBlock(config, std::move(weights)), RotaryTable{}});
}
BlockForward::~BlockForward() = default;
BlockForward::BlockForward(BlockForward&&) noexcept = default;
BlockForward& BlockForward::operator=(BlockForward&&) noexcept = default;

Matrix<float> BlockForward::run(MatrixView<const float> hidden) const {
  const c10::InferenceMode inference;
  return to_matrix(state_->block.forward(borrow(hidden), state_->rotary));
}

namespace {

/// Copies the upper triangle of a square block onto the lower one. A product of a matrix with its
/// own transpose is symmetric only up to the order in which the library sums.
void mirror(MatrixView<float> square) {
  for (std::size_t i = 0; i < square.rows(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      square(i, j) = square(j, i);
    }
  }
}

/// sums += 2 X^T X, exactly symmetric. The upper part in panels of rows, then mirrored: half the
/// work of the whole.
/// @param x [T, m]
void add_gram(const at::Tensor& x, Matrix<float>& sums) {
  constexpr std::size_t kPanel = 1024;
  const auto m = narrow<std::size_t>(x.size(1));
  BTC_CHECK(sums.rows() == m && sums.cols() == m, "sums [", sums.rows(), ", ", sums.cols(),
            "] for inputs of width ", m);
  const at::Tensor total = borrow(sums);
  for (std::size_t begin = 0; begin < m; begin += kPanel) {
    const std::size_t end = std::min(begin + kPanel, m);
    const auto first = narrow<std::int64_t>(begin);
    const auto rows = narrow<std::int64_t>(end - begin);
    const auto rest = narrow<std::int64_t>(m - end);
    at::Tensor upper = total.narrow(0, first, rows).narrow(1, first, rows + rest);
    upper.addmm_(x.narrow(1, first, rows).t(), x.narrow(1, first, rows + rest), 1, 2);
    mirror(sums.view().sub(begin, end, begin, end));
    total.narrow(0, first + rows, rest)
        .narrow(1, first, rows)
        .copy_(upper.narrow(1, rows, rest).t());
  }
}

}  // namespace

void BlockForward::accumulate_hessians(
    MatrixView<const float> hidden, std::array<Matrix<float>, kSharedInputs.size()>& sums) const {
  const c10::InferenceMode inference;
  const TransformerBlock& block = state_->block;
  const auto add = [&](SharedInput input, const at::Tensor& x) {
    if (!sums.at(index_of(input)).empty()) {
      add_gram(x, sums.at(index_of(input)));
    }
  };
  const at::Tensor x = borrow(hidden);
  const at::Tensor attention_input = block.attention_input(x);
  add(SharedInput::kQkv, attention_input);
  const at::Tensor attended = block.attend(attention_input, state_->rotary);
  add(SharedInput::kO, attended);
  const at::Tensor mlp_input = block.mlp_input(block.add_linear(x, LinearKind::kO, attended));
  add(SharedInput::kGateUp, mlp_input);
  add(SharedInput::kDown, block.gated(mlp_input));
}

struct HeadForward::State {
  TransformerHead head;
};

HeadForward::HeadForward(const ModelSource& model) {
  const c10::InferenceMode inference;
  state_ = std::make_unique<State>(State{TransformerHead(model)});
}
HeadForward::~HeadForward() = default;
HeadForward::HeadForward(HeadForward&&) noexcept = default;
HeadForward& HeadForward::operator=(HeadForward&&) noexcept = default;

Matrix<float> HeadForward::logits(MatrixView<const float> hidden) const {
  const c10::InferenceMode inference;
  return to_matrix(state_->head.logits(borrow(hidden)));
}

std::vector<double> HeadForward::nll(MatrixView<const float> hidden,
                                     std::span<const std::int32_t> targets) const {
  // A fixed number of rows at a time: a vocabulary of 128k needs 0.5 MB of logits per row.
  constexpr std::size_t kRows = 256;
  BTC_CHECK(targets.size() == hidden.rows(), targets.size(), " targets for ", hidden.rows(),
            " rows");
  const c10::InferenceMode inference;
  std::vector<double> losses;
  losses.reserve(targets.size());
  for (std::size_t begin = 0; begin < hidden.rows(); begin += kRows) {
    const std::size_t end = std::min(begin + kRows, hidden.rows());
    const at::Tensor logits = state_->head.logits(borrow(hidden.sub(begin, end, 0, hidden.cols())));
    const at::Tensor log_probabilities = at::log_softmax(logits, -1);
    const std::int64_t vocab = log_probabilities.size(1);
    const float* row = log_probabilities.const_data_ptr<float>();
    for (std::size_t t = begin; t < end; ++t, row += vocab) {
      BTC_REQUIRE(InputError, targets[t] >= 0 && targets[t] < vocab, "target id ", targets[t],
                  ", expected 0 to ", vocab - 1);
      losses.push_back(-static_cast<double>(row[targets[t]]));
    }
  }
  return losses;
}

}  // namespace btc
