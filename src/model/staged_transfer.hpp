#pragma once
/// Matrices on their way to and from where LibTorch computes. Private to this module: only
/// `*_torch.cpp` files include it.

#include <memory>

#include "common/matrix.hpp"
#include "model/torch_place.hpp"

namespace at {
class Tensor;
}

namespace btc {

/// Brings matrices to a place and back, one after the other. To and from a device they pass through
/// two buffers of pinned memory in turn: the host fills or empties one while the device copies the
/// other or still works on what came before. Copies stand in LibTorch's current stream, in the
/// order of the calls: what is computed there afterwards sees them. For one thread at a time.
class StagedTransfer {
 public:
  explicit StagedTransfer(TorchPlace place);
  ~StagedTransfer();
  StagedTransfer(StagedTransfer&&) noexcept;
  StagedTransfer& operator=(StagedTransfer&&) noexcept;
  /// The matrix as a tensor of the same shape. On the CPU it is borrowed and must outlive the
  /// tensor. A device gets a copy: the matrix may change or go after the call, which waits for no
  /// more than earlier copies out of the buffers that it needs.
  [[nodiscard]] at::Tensor send(MatrixView<const float> matrix);
  /// Waits for the tensor [rows, cols], contiguous at the place, and copies it to a matrix of the
  /// same shape.
  void receive(const at::Tensor& tensor, MatrixView<float> matrix);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace btc
