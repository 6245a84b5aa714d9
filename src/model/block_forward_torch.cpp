#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/log_softmax.h>
#include <c10/core/InferenceMode.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "common/error.hpp"
#include "model/block_forward.hpp"
#include "model/torch_place.hpp"
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
  at::globalContext().setFloat32MatmulPrecision("highest");
}

std::string torch_description() {
  std::string mkl = at::get_mkl_version();
  mkl = mkl.substr(0, mkl.find('\n'));
  return concat("LibTorch ", TORCH_VERSION, ", ", mkl, ", CPU capability ",
                at::get_cpu_capability(), ", ",
                torch_has_cuda() ? concat(torch_device_count(), " CUDA devices") : "CPU only");
}

struct BlockForward::State {
  TransformerBlock block;
  RotaryTable rotary;  ///< as long as the longest sequence so far
};

BlockForward::BlockForward(const ModelConfig& config, BlockWeights weights, TorchPlace place) {
  const c10::InferenceMode inference;
  state_ = std::make_unique<State>(
      State{TransformerBlock(config, std::move(weights), place), RotaryTable{}});
}
BlockForward::~BlockForward() = default;
BlockForward::BlockForward(BlockForward&&) noexcept = default;
BlockForward& BlockForward::operator=(BlockForward&&) noexcept = default;

const TorchPlace& BlockForward::place() const { return state_->block.place(); }

Matrix<float> BlockForward::run(MatrixView<const float> hidden) const {
  const c10::InferenceMode inference;
  return to_matrix(state_->block.forward(tensor_at(place(), hidden), state_->rotary));
}

namespace {

/// Entry targets[t] of row t [T, 1], so that no more than that leaves a device.
Matrix<float> entries_of(const at::Tensor& rows, std::span<const std::int32_t> targets) {
  const std::int64_t vocab = rows.size(1);
  for (const std::int32_t target : targets) {
    BTC_REQUIRE(InputError, target >= 0 && target < vocab, "target id ", target, ", expected 0 to ",
                vocab - 1);
  }
  std::vector<std::int64_t> columns(targets.begin(), targets.end());
  const at::Tensor index =
      at::from_blob(columns.data(), {narrow<std::int64_t>(columns.size()), 1}, at::kLong);
  return to_matrix(at::gather(rows, 1, index.to(rows.device())));
}

}  // namespace

struct HeadForward::State {
  TransformerHead head;
};

HeadForward::HeadForward(const ModelSource& model, TorchPlace place) {
  const c10::InferenceMode inference;
  state_ = std::make_unique<State>(State{TransformerHead(model, place)});
}
HeadForward::~HeadForward() = default;
HeadForward::HeadForward(HeadForward&&) noexcept = default;
HeadForward& HeadForward::operator=(HeadForward&&) noexcept = default;

Matrix<float> HeadForward::logits(MatrixView<const float> hidden) const {
  const c10::InferenceMode inference;
  return to_matrix(state_->head.logits(tensor_at(state_->head.place(), hidden)));
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
    const at::Tensor logits = state_->head.logits(
        tensor_at(state_->head.place(), hidden.sub(begin, end, 0, hidden.cols())));
    const Matrix<float> chosen =
        entries_of(at::log_softmax(logits, -1), targets.subspan(begin, end - begin));
    std::transform(chosen.values().begin(), chosen.values().end(), std::back_inserter(losses),
                   [](float value) { return -static_cast<double>(value); });
  }
  return losses;
}

}  // namespace btc
