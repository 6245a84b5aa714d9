#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/error.hpp"
#include "learn/cheap_binarizer.hpp"
#include "learn/kronecker_rows.hpp"
#include "learn/row_pieces.hpp"
#include "learn/transform_values.hpp"
#include "learn/transformed_block.hpp"

namespace btc {
namespace {

/// T of one input as leaves of autograd; its inverses are leaves too.
struct TransformLeaves {
  at::Tensor sign, p1, p2, inverse1, inverse2;
};

at::Tensor leaf_of(const TorchPlace& place, const Matrix<float>& matrix) {
  return tensor_at(place, matrix.view()).requires_grad_();
}

/// Borrows the values on the CPU.
TransformLeaves leaves_of(const TorchPlace& place, const TransformValues& values) {
  const MatrixView<const float> sign(values.sign.data(), 1, values.sign.size());
  return {tensor_at(place, sign).squeeze(0).requires_grad_(), leaf_of(place, values.p1),
          leaf_of(place, values.p2), leaf_of(place, values.inverse1),
          leaf_of(place, values.inverse2)};
}

/// Some rows of a Linear.
struct Rows {
  std::int64_t first;
  std::int64_t count;
  [[nodiscard]] at::Tensor of(const at::Tensor& linear) const {
    return linear.narrow(0, first, count);
  }
};

/// What autograd left at a leaf.
at::Tensor taken(at::Tensor& leaf) {
  at::Tensor gradient = leaf.grad().defined() ? leaf.grad() : at::zeros_like(leaf);
  leaf.mutable_grad().reset();
  return gradient;
}

/// dL/dP by way of P and of its inverse: dL/dP - P^-T (dL/dP^-1) P^-T.
Matrix<float> factor_gradient(at::Tensor& factor, at::Tensor& inverse) {
  const at::Tensor transposed = inverse.t();
  const at::Tensor by_inverse = at::matmul(at::matmul(transposed, taken(inverse)), transposed);
  return to_matrix(taken(factor) - by_inverse);
}

TransformGradient take_gradient(TransformLeaves& leaves) {
  const at::NoGradGuard no_gradient;
  return {to_matrix(taken(leaves.sign).unsqueeze(0)).values(),
          factor_gradient(leaves.p1, leaves.inverse1), factor_gradient(leaves.p2, leaves.inverse2)};
}

}  // namespace

struct TransformedBlock::State {
  ModelConfig model;
  BlockWeights original;  ///< on a device without the Linears, which are there
  TorchPlace place;
  Precision precision;  ///< of add_error_gradient
  TrainedTransform trained;
  std::vector<CheapBinarizer> binarizers;  ///< by index_of(LinearKind)
  LinearTensors weights;                   ///< the original's
  LinearTensors entered;                   ///< W', the present ones
  std::array<TransformLeaves, kSharedInputs.size()> leaves;

  [[nodiscard]] std::size_t shared_by() const { return model.heads / model.kv_heads; }
  [[nodiscard]] const TransformLeaves& of(SharedInput input) const {
    return leaves.at(index_of(input));
  }

  /// Rows that are transformed together: those of a key head in v_proj.
  [[nodiscard]] std::size_t unit(LinearKind kind) const {
    return kind == LinearKind::kV ? model.head_dim : 1;
  }
  /// Signs of the input `o` for rows of v_proj.
  [[nodiscard]] at::Tensor value_signs(const Rows& rows) const {
    const auto shared = narrow<std::int64_t>(shared_by());
    return of(SharedInput::kO).sign.narrow(0, rows.first * shared, rows.count * shared);
  }
  /// Signs of the input `down` for rows of up_proj.
  [[nodiscard]] at::Tensor up_signs(const Rows& rows) const {
    return of(SharedInput::kDown).sign.narrow(0, rows.first, rows.count).unsqueeze(-1);
  }

  /// Rows of W' of a Linear.
  [[nodiscard]] at::Tensor enter(LinearKind kind, const Rows& rows) const {
    at::Tensor merged = rows.of(weights.at(index_of(kind)));
    if (kind == LinearKind::kV) {
      merged = enter_values(merged, value_signs(rows), of(SharedInput::kO).p2, shared_by());
    } else if (kind == LinearKind::kUp) {
      merged = merged * up_signs(rows);
    }
    const TransformLeaves& own = of(input_of(kind));
    return enter_rows(merged, own.sign, own.inverse1, own.inverse2);
  }

  /// Rows of what stands for the original's weights, of the quantized ones.
  [[nodiscard]] at::Tensor leave(LinearKind kind, const Rows& rows,
                                 const at::Tensor& quantized) const {
    const TransformLeaves& own = of(input_of(kind));
    const at::Tensor folded = fold_rows(quantized, own.sign, own.p1, own.p2);
    if (kind == LinearKind::kV) {
      return leave_values(folded, value_signs(rows), of(SharedInput::kO).inverse2, shared_by());
    }
    return kind == LinearKind::kUp ? folded * up_signs(rows) : folded;
  }

  [[nodiscard]] at::Tensor quantized(LinearKind kind, const Rows& rows) const {
    const std::size_t i = index_of(kind);
    return binarizers[i].project(rows.of(entered.at(i)), rows.first);
  }

  /// Calls body(kind, rows) for all rows of all Linears.
  template <typename Body>
  void for_rows(const Body& body) const {
    for (const LinearKind kind : kLinearKinds) {
      for_row_pieces(weights.at(index_of(kind)), unit(kind),
                     [&](std::int64_t first, std::int64_t count) {
                       body(kind, Rows{first, count});
                     });
    }
  }

  /// Linears made of rows(kind, rows).
  template <typename RowsOf>
  [[nodiscard]] LinearTensors assembled(const RowsOf& rows_of) const {
    const at::NoGradGuard no_gradient;
    LinearTensors linears;
    std::transform(weights.begin(), weights.end(), linears.begin(),
                   [](const at::Tensor& own) { return at::empty_like(own); });
    for_rows([&](LinearKind kind, const Rows& rows) {
      rows.of(linears.at(index_of(kind))).copy_(rows_of(kind, rows));
    });
    return linears;
  }

  void enter_all() {
    entered = assembled([&](LinearKind kind, const Rows& rows) { return enter(kind, rows); });
  }
  [[nodiscard]] LinearTensors effective() const {
    return assembled([&](LinearKind kind, const Rows& rows) {
      return leave(kind, rows, quantized(kind, rows));
    });
  }

  /// The gradients that have come to the leaves, for the changes.
  void take_gradients(std::span<float> sums) {
    std::array<TransformGradient, kSharedInputs.size()> gradient;
    for (std::size_t k = 0; k < leaves.size(); ++k) {
      gradient.at(k) = take_gradient(leaves.at(k));
    }
    trained.add_gradient(gradient, sums);
  }
};

TransformedBlock::TransformedBlock(const ModelConfig& model, BlockWeights original,
                                   const TransformParams& params, const BinarizeParams& binarize,
                                   std::size_t panel, std::uint64_t seed, TorchPlace place)
    : state_(std::make_unique<State>(State{model,
                                           std::move(original),
                                           place,
                                           params.precision,
                                           TrainedTransform(model, params, seed),
                                           {},
                                           {},
                                           {},
                                           {}})) {
  for (std::size_t i = 0; i < state_->weights.size(); ++i) {
    Matrix<float>& own = state_->original.linear.at(i);
    state_->binarizers.emplace_back(binarize, panel == 0 ? own.cols() : panel);
    state_->weights.at(i) = tensor_at(place, std::as_const(own).view());
    if (place.on_device()) {
      own = Matrix<float>();
    }
  }
  set(std::vector<float>(size()), false);
}
TransformedBlock::~TransformedBlock() = default;
TransformedBlock::TransformedBlock(TransformedBlock&&) noexcept = default;
TransformedBlock& TransformedBlock::operator=(TransformedBlock&&) noexcept = default;

std::size_t TransformedBlock::size() const { return state_->trained.size(); }
BlockTransform TransformedBlock::transform() const { return state_->trained.transform(); }
double TransformedBlock::distance() const { return state_->trained.distance(); }

void TransformedBlock::set(std::span<const float> change, bool rounded) {
  state_->trained.set(change, rounded);
  for (const SharedInput input : kSharedInputs) {
    state_->leaves.at(index_of(input)) = leaves_of(state_->place, state_->trained.values(input));
  }
  state_->enter_all();
}

void TransformedBlock::regroup() {
  for (std::size_t i = 0; i < state_->entered.size(); ++i) {
    state_->binarizers[i].regroup(state_->entered.at(i));
  }
}

void TransformedBlock::choose_signs() {
  for (std::size_t i = 0; i < state_->entered.size(); ++i) {
    state_->binarizers[i].choose_signs(state_->entered.at(i));
  }
}

BlockWeights TransformedBlock::effective() const {
  BlockWeights weights = state_->original;
  const LinearTensors linears = state_->effective();
  for (std::size_t i = 0; i < linears.size(); ++i) {
    weights.linear.at(i) = to_matrix(linears.at(i));
  }
  return weights;
}

BlockForward TransformedBlock::forward() const {
  return forward_of(state_->model, state_->effective(), state_->original, state_->place);
}

void TransformedBlock::add_gradient(const LinearTensors& gradient, std::span<float> sums) const {
  state_->for_rows([&](LinearKind kind, const Rows& rows) {
    const std::size_t i = index_of(kind);
    const at::Tensor quantized = state_->quantized(kind, rows).requires_grad_();
    state_->leave(kind, rows, quantized).backward(rows.of(gradient.at(i)));
    state_->enter(kind, rows).backward(state_->binarizers[i].project(quantized.grad(), rows.first));
  });
  state_->take_gradients(sums);
}

void TransformedBlock::add_error_gradient(KeptOutputs& original, const SequenceStream& stream,
                                          std::span<const std::size_t> sequences,
                                          std::span<float> sums) const {
  LinearTensors gradient;
  double error = 0;
  {
    BlockBackward present = differentiated(state_->model, state_->effective(), state_->original,
                                           state_->place, state_->precision);
    error = add_squared_errors({original}, present, stream, sequences);
    gradient = take_gradients(present);
  }
  for (at::Tensor& own : gradient) {
    own.mul_(error > 0 ? 1 / error : 0);  // of the logarithm
  }
  add_gradient(gradient, sums);
}

SignLosses TransformedBlock::add_sign_gradient(std::size_t vector_length,
                                               const TransformParams& params,
                                               std::span<float> sums) const {
  constexpr auto kCount = static_cast<double>(kLinearKinds.size());
  LinearTensors gradient;
  SignLosses mean;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const SignLosses own = sign_losses(
        state_->entered.at(i), vector_length, static_cast<std::size_t>(params.eigenvalues),
        params.similarity / kCount, params.balance / kCount, gradient.at(i));
    mean.similarity += own.similarity / kCount;
    mean.balance += own.balance / kCount;
  }
  state_->for_rows([&](LinearKind kind, const Rows& rows) {
    state_->enter(kind, rows).backward(rows.of(gradient.at(index_of(kind))));
  });
  state_->take_gradients(sums);
  return mean;
}

}  // namespace btc
