#pragma once
/// Hidden states between blocks (LibTorch behind it).

#include <cstddef>
#include <cstdint>
#include <memory>

#include "common/matrix.hpp"
#include "model/torch_place.hpp"

namespace btc {

/// Hidden states [T, hidden] of one sequence as bf16 bits, row-major, in memory of the place where
/// a block runs: of the host, or of the device.
class HiddenStates {
 public:
  /// Undefined until something is written to `ready()`.
  HiddenStates(std::size_t tokens, std::size_t hidden, TorchPlace place);
  /// Values in memory of the host, rounded at `place` to nearest, ties to even: the same bits for
  /// every number on the CPU and on a device. What is too large becomes infinite, NaN stays NaN.
  HiddenStates(MatrixView<const float> values, TorchPlace place);
  /// A copy of bf16 bits in memory of the host.
  HiddenStates(MatrixView<const std::uint16_t> bits, TorchPlace place);
  ~HiddenStates();
  HiddenStates(HiddenStates&&) noexcept;
  HiddenStates& operator=(HiddenStates&&) noexcept;

  [[nodiscard]] std::size_t tokens() const;
  [[nodiscard]] std::size_t hidden() const;
  [[nodiscard]] const TorchPlace& place() const;
  [[nodiscard]] std::size_t bytes() const;
  /// Address of the bits, on a device a device address. Waits until no work of LibTorch on them is
  /// under way, so that another library may read or write them.
  [[nodiscard]] const void* ready() const;
  [[nodiscard]] void* ready();
  /// Copies the bits to memory of the host. @param bits [T, hidden]
  void copy_to(MatrixView<std::uint16_t> bits) const;

  /// For this module: the tensor.
  struct State;
  explicit HiddenStates(std::unique_ptr<State> state);
  [[nodiscard]] const State& state() const { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

}  // namespace btc
