#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/isfinite.h>
#include <c10/core/InferenceMode.h>

#include <map>
#include <utility>

#include "common/error.hpp"
#include "model/channel_squares.hpp"
#include "model/kept_outputs.hpp"
#include "model/linear_tensors.hpp"

namespace btc {

struct KeptOutputs::State {
  BlockForward block;
  std::uint64_t left;             ///< bytes that may still be kept
  std::uint64_t others_need = 0;  ///< bytes of a device that stay free
  std::size_t runs = 0;
  std::map<std::size_t, at::Tensor> kept{};  ///< by number of the sequence

  /// Other ranks may be filling the same device.
  [[nodiscard]] bool have_room_for(std::uint64_t bytes) const {
    return bytes <= left && (others_need == 0 || free_memory(block.place()) >= others_need + bytes);
  }
};

KeptOutputs::KeptOutputs(BlockForward block, std::uint64_t most_bytes)
    : state_(std::make_unique<State>(State{std::move(block), most_bytes})) {}
KeptOutputs::KeptOutputs(BlockForward block) : KeptOutputs(std::move(block), kKeptOnCpu) {
  if (place().on_device()) {
    state_->left = state_->others_need = free_memory(place()) / 2;
  }
}
KeptOutputs::~KeptOutputs() = default;
KeptOutputs::KeptOutputs(KeptOutputs&&) noexcept = default;
KeptOutputs& KeptOutputs::operator=(KeptOutputs&&) noexcept = default;

const TorchPlace& KeptOutputs::place() const { return state_->block.place(); }
std::size_t KeptOutputs::runs() const { return state_->runs; }

at::Tensor KeptOutputs::of(std::size_t sequence, const at::Tensor& input) {
  if (const auto found = state_->kept.find(sequence); found != state_->kept.end()) {
    BTC_CHECK(found->second.sizes() == input.sizes(), "sequence ", sequence, " has another shape");
    return found->second;
  }
  const c10::InferenceMode inference;
  at::Tensor output = run_block(state_->block, input);
  ++state_->runs;
  const std::uint64_t bytes = output.nbytes();
  if (state_->have_room_for(bytes) && at::isfinite(output).all().item<bool>()) {
    state_->left -= bytes;
    state_->kept.emplace(sequence, output);
  }
  return output;
}

OutputSquares KeptOutputs::compare(std::size_t sequence, MatrixView<const float> input,
                                   const BlockForward& present,
                                   std::span<const float> channel_weights) {
  const c10::InferenceMode inference;
  BTC_CHECK(present.place() == place(), "original block on ", describe(place()),
            ", present block on ", describe(present.place()));
  const at::Tensor weights = channel_weights_at(place(), channel_weights, input.cols());
  const at::Tensor x = tensor_at(place(), input);
  const at::Tensor wanted = of(sequence, x);
  return {sum_of_squares(run_block(present, x) - wanted, weights),
          sum_of_squares(wanted - x, weights)};
}

}  // namespace btc
