#pragma once
/// The Linears of a block as tensors, where LibTorch computes. For `*_torch.cpp` files of this
/// module and of `learn`.

#include <array>

#include "common/ids.hpp"
#include "common/matrix.hpp"
#include "model/block_forward.hpp"
#include "model/block_gradient.hpp"
#include "model/model_source.hpp"
#include "model/precision.hpp"
#include "model/torch_place.hpp"

namespace at {
class Tensor;
}

namespace btc {

/// [n, m] each, fp32, by index_of(LinearKind).
using LinearTensors = std::array<at::Tensor, kLinearKinds.size()>;

/// A block of these Linears. @param rest its norms and biases; on the CPU it must outlive the block
BlockForward forward_of(const ModelConfig& config, const LinearTensors& linears,
                        const BlockWeights& rest, TorchPlace place);
/// The same, differentiated by its Linears.
BlockBackward differentiated(const ModelConfig& config, const LinearTensors& linears,
                             const BlockWeights& rest, TorchPlace place, Precision precision);
/// dL/d(weight) that `backward` added up since the last time.
LinearTensors take_gradients(BlockBackward& block);

/// Borrows a matrix as a tensor of the same shape. The matrix must outlive the tensor.
at::Tensor borrow(MatrixView<const float> matrix);
at::Tensor borrow(Matrix<float>& matrix);
/// A matrix as a tensor at `place`: borrowed on the CPU, a copy on a device.
at::Tensor tensor_at(const TorchPlace& place, MatrixView<const float> matrix);
/// Copies a tensor [rows, cols] out, from any place.
Matrix<float> to_matrix(const at::Tensor& tensor);

}  // namespace btc
