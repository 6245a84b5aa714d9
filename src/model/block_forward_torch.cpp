#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/log_softmax.h>
#include <c10/core/InferenceMode.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <string_view>
#include <utility>

#include "common/error.hpp"
#include "model/block_forward.hpp"
#include "model/hidden_tensor.hpp"
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
  at::globalContext().setAllowBF16ReductionCuBLAS(false);
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
BlockForward::BlockForward(TransformerBlock block)
    : state_(std::make_unique<State>(State{std::move(block), RotaryTable{}})) {}
BlockForward::~BlockForward() = default;
BlockForward::BlockForward(BlockForward&&) noexcept = default;
BlockForward& BlockForward::operator=(BlockForward&&) noexcept = default;

BlockForward forward_of(const ModelConfig& config, const LinearTensors& linears,
                        const BlockWeights& rest, TorchPlace place) {
  return BlockForward(TransformerBlock::of_linears(config, linears, rest, place, Precision::kFp32));
}

const TorchPlace& BlockForward::place() const { return state_->block.place(); }

void BlockForward::prepare(std::size_t positions) const {
  lengthen(state_->rotary, state_->block.config(), positions);
}

Matrix<float> BlockForward::run(MatrixView<const float> hidden) const {
  const c10::InferenceMode inference;
  return to_matrix(state_->block.forward(tensor_at(place(), hidden), state_->rotary));
}

at::Tensor run_block(const BlockForward& block, const at::Tensor& x) {
  const c10::InferenceMode inference;
  BlockForward::State& state = *block.state_;
  return state.block.forward(x, state.rotary);
}

HiddenStates BlockForward::run(const HiddenStates& hidden) const {
  BTC_CHECK(hidden.place() == place(), "hidden states on ", describe(hidden.place()),
            " for a block on ", describe(place()));
  const c10::InferenceMode inference;
  return rounded(state_->block.forward(values_of(hidden), state_->rotary), place());
}

Matrix<float> BlockForward::run(MatrixView<const float> hidden, const TokenForest& forest) const {
  const c10::InferenceMode inference;
  const TransformerBlock& block = state_->block;
  const at::Tensor x = tensor_at(place(), hidden);
  const at::Tensor mixed = attend(block, block.attention_input(x), forest, state_->rotary);
  return to_matrix(block.behind_attention(x, mixed));
}

namespace {

/// Borrows indices; copies them to a device. They must outlive the tensor.
at::Tensor index_at(const TorchPlace& place, std::span<const std::int64_t> indices) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): from_blob takes no const; never written
  auto* data = const_cast<std::int64_t*>(indices.data());
  const at::Tensor index =
      at::from_blob(data, {narrow<std::int64_t>(indices.size())}, at::TensorOptions(at::kLong));
  return place.on_device() ? index.to(options_at(place).device()) : index;
}

}  // namespace

Matrix<float> BlockForward::run(MatrixView<const float> hidden, const TokenForest& forest,
                                std::span<const std::int64_t> rows) const {
  const c10::InferenceMode inference;
  const TransformerBlock& block = state_->block;
  const at::Tensor index = index_at(place(), rows);
  const at::Tensor x = tensor_at(place(), hidden);
  const at::Tensor mixed = attend(block, block.attention_input(x), forest, state_->rotary);
  return to_matrix(
      block.behind_attention(at::index_select(x, 0, index), at::index_select(mixed, 0, index)));
}

namespace {

/// Entry targets[t] of row t [T, 1], so that no more than that leaves a device.
Matrix<float> entries_of(const at::Tensor& rows, std::span<const std::int32_t> targets) {
  return to_matrix(at::gather(rows, 1, columns_of(targets, rows)));
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
  BTC_CHECK(targets.size() == hidden.rows(), targets.size(), " targets for ", hidden.rows(),
            " rows");
  const c10::InferenceMode inference;
  std::vector<double> losses;
  losses.reserve(targets.size());
  for (std::size_t begin = 0; begin < hidden.rows(); begin += kHeadRows) {
    const std::size_t end = std::min(begin + kHeadRows, hidden.rows());
    const at::Tensor logits = state_->head.logits(
        tensor_at(state_->head.place(), hidden.sub(begin, end, 0, hidden.cols())));
    const Matrix<float> chosen =
        entries_of(at::log_softmax(logits, -1), targets.subspan(begin, end - begin));
    std::transform(chosen.values().begin(), chosen.values().end(), std::back_inserter(losses),
                   [](float value) { return -static_cast<double>(value); });
  }
  return losses;
}

std::vector<TargetScore> HeadForward::score(MatrixView<const float> hidden,
                                            std::span<const HeadTarget> targets) const {
  const c10::InferenceMode inference;
  const TorchPlace& place = state_->head.place();
  std::vector<std::size_t> order(targets.size());  // by row
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return targets[a].row < targets[b].row; });
  std::vector<TargetScore> scores(targets.size());
  std::vector<std::int64_t> entries;
  auto next = order.begin();
  for (std::size_t begin = 0; begin < hidden.rows(); begin += kHeadRows) {
    const std::size_t end = std::min(begin + kHeadRows, hidden.rows());
    const at::Tensor logits =
        state_->head.logits(tensor_at(place, hidden.sub(begin, end, 0, hidden.cols())));
    const std::int64_t vocab = logits.size(1);
    const auto first = next;
    entries.clear();
    for (; next != order.end() && std::cmp_less(targets[*next].row, end); ++next) {
      const HeadTarget& target = targets[*next];
      BTC_REQUIRE(InputError, target.id >= 0 && target.id < vocab, "id ", target.id,
                  ", expected 0 to ", vocab - 1);
      entries.push_back((target.row - narrow<std::int64_t>(begin)) * vocab + target.id);
    }
    const at::Tensor index = index_at(place, entries);
    const at::Tensor chosen =
        at::index_select(at::log_softmax(logits, -1).view(-1), 0, index).cpu();
    const at::Tensor best = at::argmax(logits, -1).cpu();
    const auto* values = chosen.const_data_ptr<float>();
    const auto* winners = best.const_data_ptr<std::int64_t>();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      scores[first[static_cast<std::ptrdiff_t>(i)]] = {
          static_cast<double>(values[i]), entries[i] % vocab == winners[entries[i] / vocab]};
    }
  }
  BTC_CHECK(next == order.end(), "a target beyond the last of ", hidden.rows(), " rows");
  return scores;
}

}  // namespace btc
