#include "model/hidden_states.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <span>

#include "common/half.hpp"
#include "model/hidden_tensor.hpp"
#include "model/transformer.hpp"

namespace btc {

struct HiddenStates::State {
  at::Tensor bits;  ///< bf16 [T, hidden], without gaps
  TorchPlace place;
};

namespace {

std::unique_ptr<HiddenStates::State> uninitialised(std::size_t tokens, std::size_t hidden,
                                                   TorchPlace place) {
  const c10::InferenceMode inference;
  return std::make_unique<HiddenStates::State>(
      HiddenStates::State{at::empty({narrow<std::int64_t>(tokens), narrow<std::int64_t>(hidden)},
                                    options_at(place).dtype(at::kBFloat16)),
                          place});
}

/// Borrows bits of the host as bf16 numbers.
at::Tensor borrow_bits(MatrixView<const std::uint16_t> bits) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): from_blob takes no const
  auto* data = const_cast<std::uint16_t*>(bits.data());
  return at::from_blob(data, {narrow<std::int64_t>(bits.rows()), narrow<std::int64_t>(bits.cols())},
                       {narrow<std::int64_t>(bits.stride()), 1}, at::kBFloat16);
}

/// Waits for the stream that LibTorch uses on the device of `tensor`.
void wait_for(const at::Tensor& tensor) {
  const c10::Device device = tensor.device();
  if (!device.is_cpu()) {
    c10::impl::VirtualGuardImpl(device.type()).getStream(device).synchronize();
  }
}

}  // namespace

HiddenStates::HiddenStates(std::unique_ptr<State> state) : state_(std::move(state)) {}
HiddenStates::HiddenStates(std::size_t tokens, std::size_t hidden, TorchPlace place)
    : state_(uninitialised(tokens, hidden, place)) {}
HiddenStates::HiddenStates(MatrixView<const float> values, TorchPlace place) {
  const c10::InferenceMode inference;
  *this = rounded(tensor_at(place, values), place);
}
HiddenStates::HiddenStates(MatrixView<const std::uint16_t> bits, TorchPlace place)
    : HiddenStates(bits.rows(), bits.cols(), place) {
  const c10::InferenceMode inference;
  state_->bits.copy_(borrow_bits(bits));
}
HiddenStates::~HiddenStates() = default;
HiddenStates::HiddenStates(HiddenStates&&) noexcept = default;
HiddenStates& HiddenStates::operator=(HiddenStates&&) noexcept = default;

std::size_t HiddenStates::tokens() const { return narrow<std::size_t>(state_->bits.size(0)); }
std::size_t HiddenStates::hidden() const { return narrow<std::size_t>(state_->bits.size(1)); }
const TorchPlace& HiddenStates::place() const { return state_->place; }
std::size_t HiddenStates::bytes() const { return state_->bits.nbytes(); }

const void* HiddenStates::ready() const {
  wait_for(state_->bits);
  return state_->bits.const_data_ptr();
}

void* HiddenStates::ready() {
  wait_for(state_->bits);
  return state_->bits.mutable_data_ptr();
}

void HiddenStates::copy_to(MatrixView<std::uint16_t> bits) const {
  BTC_CHECK(bits.rows() == tokens() && bits.cols() == hidden(), "bits [", bits.rows(), ", ",
            bits.cols(), "], expected [", tokens(), ", ", hidden(), "]");
  const c10::InferenceMode inference;
  borrow_bits(bits).copy_(state_->bits);
}

at::Tensor values_of(const HiddenStates& hidden) { return hidden.state().bits.to(at::kFloat); }

HiddenStates rounded(const at::Tensor& values, TorchPlace place) {
  if (place.on_device()) {
    return HiddenStates(std::make_unique<HiddenStates::State>(
        HiddenStates::State{values.to(at::kBFloat16).contiguous(), place}));
  }
  HiddenStates hidden(narrow<std::size_t>(values.size(0)), narrow<std::size_t>(values.size(1)),
                      place);
  const at::Tensor dense = values.contiguous();
  const std::span from(dense.const_data_ptr<float>(), narrow<std::size_t>(dense.numel()));
  // Not LibTorch's rounding, which has NaNs of its own for every instruction set.
  std::transform(from.begin(), from.end(), static_cast<std::uint16_t*>(hidden.ready()),
                 float_to_bf16);
  return hidden;
}

}  // namespace btc
