#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>
#include <c10/core/TensorOptions.h>

#include <utility>

#include "model/staged_transfer.hpp"
#include "model/transformer.hpp"

namespace btc {

namespace {

std::int64_t extent(std::size_t value) { return narrow<std::int64_t>(value); }

MatrixView<const float> as_row(const std::vector<float>& values) {
  return {values.data(), 1, values.size()};
}

at::Tensor borrow(const std::vector<float>& values) { return borrow(as_row(values)).squeeze(0); }

/// The tensor itself if it is there already.
at::Tensor moved_to(const TorchPlace& place, const at::Tensor& tensor) {
  return place.on_device() ? tensor.to(options_at(place)) : tensor;
}

/// As the published models do it: normalise in fp32, then scale.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return x * at::rsqrt(at::mean(x * x, -1, true) + eps) * weight;
}

/// Rotates entry i against entry i + half of each head. @param x [N, heads, head_dim]
at::Tensor rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine) {
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor low = x.narrow(-1, 0, half);
  const at::Tensor high = x.narrow(-1, half, half);
  const at::Tensor c = cosine.unsqueeze(-2);
  const at::Tensor s = sine.unsqueeze(-2);
  return at::cat({low * c - high * s, high * c + low * s}, -1);
}

}  // namespace

at::Tensor borrow(MatrixView<const float> matrix) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): from_blob takes no const; never written
  auto* data = const_cast<float*>(matrix.data());
  return at::from_blob(data, {extent(matrix.rows()), extent(matrix.cols())},
                       {extent(matrix.stride()), 1}, at::kFloat);
}

at::Tensor borrow(Matrix<float>& matrix) { return borrow(std::as_const(matrix).view()); }

c10::TensorOptions options_at(const TorchPlace& place) {
  const c10::TensorOptions options = at::kFloat;
  return place.on_device() ? options.device(at::kCUDA, narrow<c10::DeviceIndex>(*place.device))
                           : options;
}

at::Tensor tensor_at(const TorchPlace& place, MatrixView<const float> matrix) {
  return moved_to(place, borrow(matrix));
}

at::Tensor columns_of(std::span<const std::int32_t> ids, const at::Tensor& rows) {
  const std::int64_t vocab = rows.size(1);
  for (const std::int32_t id : ids) {
    BTC_REQUIRE(InputError, id >= 0 && id < vocab, "target id ", id, ", expected 0 to ", vocab - 1);
  }
  std::vector<std::int64_t> columns(ids.begin(), ids.end());
  return at::from_blob(columns.data(), {extent(columns.size()), 1}, at::kLong)
      .to(rows.device(), at::kLong, /*non_blocking=*/false, /*copy=*/true);
}

Matrix<float> to_matrix(const at::Tensor& tensor) {
  Matrix<float> matrix(narrow<std::size_t>(tensor.size(0)), narrow<std::size_t>(tensor.size(1)));
  borrow(matrix).copy_(tensor);
  return matrix;
}

struct TransformerBlock::State {
  ModelConfig config;
  TorchPlace place;
  Precision precision = Precision::kFp32;
  BlockWeights owned;  ///< what the tensors borrow on the CPU, unless the caller owns it
  std::array<at::Tensor, kLinearKinds.size()> linear;
  std::array<at::Tensor, kLinearKinds.size()> bias;
  at::Tensor input_norm, post_attention_norm, q_norm, k_norm;
  at::Tensor cosine, sine;  ///< of a rotary table, kept on a device

  State(ModelConfig model_config, TorchPlace torch_place)
      : config(std::move(model_config)), place(torch_place) {}

  /// Makes the tensors: borrowed on the CPU, copies on a device.
  void refer_to(const BlockWeights& weights) {
    StagedTransfer transfer(place);
    for (std::size_t i = 0; i < linear.size(); ++i) {
      linear.at(i) = transfer.send(weights.linear.at(i).view());
    }
    refer_to_rest(weights, transfer);
  }

  /// All but the Linears.
  void refer_to_rest(const BlockWeights& weights, StagedTransfer& transfer) {
    const auto sent = [&](const std::vector<float>& values) {
      return transfer.send(as_row(values)).squeeze(0);
    };
    for (std::size_t i = 0; i < linear.size(); ++i) {
      if (!weights.bias.at(i).empty()) {
        bias.at(i) = sent(weights.bias.at(i));
      }
    }
    input_norm = sent(weights.input_norm);
    post_attention_norm = sent(weights.post_attention_norm);
    if (config.qk_norm) {
      q_norm = sent(weights.q_norm);
      k_norm = sent(weights.k_norm);
    }
  }

  /// Cosines and sines of the first positions. A device keeps them: an upload for every sequence
  /// would let the host wait for all work before it.
  [[nodiscard]] std::pair<at::Tensor, at::Tensor> angles(const RotaryTable& table,
                                                         std::int64_t positions) {
    if (!place.on_device()) {
      return {borrow(table.cosine.view()).narrow(0, 0, positions),
              borrow(table.sine.view()).narrow(0, 0, positions)};
    }
    if (!cosine.defined() || cosine.size(0) < positions) {
      cosine = tensor_at(place, table.cosine.view());
      sine = tensor_at(place, table.sine.view());
    }
    return {cosine.narrow(0, 0, positions), sine.narrow(0, 0, positions)};
  }

  [[nodiscard]] at::Tensor apply(LinearKind kind, const at::Tensor& input) const {
    const at::Tensor& weight = linear.at(index_of(kind));
    const at::Tensor& b = bias.at(index_of(kind));
    if (precision == Precision::kBf16) {
      const at::Tensor product = at::linear(input.to(at::kBFloat16), weight.to(at::kBFloat16));
      return b.defined() ? product.to(at::kFloat) + b : product.to(at::kFloat);
    }
    return at::linear(input, weight, b.defined() ? std::optional<at::Tensor>(b) : std::nullopt);
  }

  /// Those that the model has.
  [[nodiscard]] std::vector<at::Tensor*> norms() {
    std::vector<at::Tensor*> norms = {&input_norm, &post_attention_norm};
    if (config.qk_norm) {
      norms.insert(norms.end(), {&q_norm, &k_norm});
    }
    return norms;
  }

  [[nodiscard]] at::Tensor heads(LinearKind kind, const at::Tensor& input) const {
    return apply(kind, input).view({input.size(0), -1, extent(config.head_dim)});
  }
};

TransformerBlock::TransformerBlock(const ModelConfig& config, TorchPlace place)
    : state_(std::make_unique<State>(config, place)) {}
TransformerBlock::TransformerBlock(const ModelConfig& config, BlockWeights weights,
                                   TorchPlace place)
    : TransformerBlock(config, place) {
  state_->owned = std::move(weights);
  state_->refer_to(state_->owned);
  if (place.on_device()) {
    state_->owned = BlockWeights();
  }
}
TransformerBlock TransformerBlock::borrowing(const ModelConfig& config, const BlockWeights& weights,
                                             TorchPlace place) {
  TransformerBlock block(config, place);
  block.state_->refer_to(weights);
  return block;
}
TransformerBlock TransformerBlock::of_linears(const ModelConfig& config,
                                              const LinearTensors& linears,
                                              const BlockWeights& rest, TorchPlace place,
                                              Precision precision) {
  TransformerBlock block(config, place);
  block.state_->linear = linears;
  block.state_->precision = precision;
  StagedTransfer transfer(place);
  block.state_->refer_to_rest(rest, transfer);
  return block;
}
TransformerBlock::~TransformerBlock() = default;
TransformerBlock::TransformerBlock(TransformerBlock&&) noexcept = default;
TransformerBlock& TransformerBlock::operator=(TransformerBlock&&) noexcept = default;

const ModelConfig& TransformerBlock::config() const { return state_->config; }
const TorchPlace& TransformerBlock::place() const { return state_->place; }

at::Tensor TransformerBlock::attention_input(const at::Tensor& x) const {
  return rms_norm(x, state_->input_norm, state_->config.norm_eps);
}

at::Tensor TransformerBlock::mlp_input(const at::Tensor& x) const {
  return rms_norm(x, state_->post_attention_norm, state_->config.norm_eps);
}

void TransformerBlock::project(const at::Tensor& input, at::Tensor& q, at::Tensor& k,
                               at::Tensor& v) const {
  q = state_->heads(LinearKind::kQ, input);
  k = state_->heads(LinearKind::kK, input);
  v = state_->heads(LinearKind::kV, input);
  if (state_->config.qk_norm) {
    q = rms_norm(q, state_->q_norm, state_->config.norm_eps);
    k = rms_norm(k, state_->k_norm, state_->config.norm_eps);
  }
}

void TransformerBlock::project(const at::Tensor& input, const at::Tensor& cosine,
                               const at::Tensor& sine, at::Tensor& q, at::Tensor& k,
                               at::Tensor& v) const {
  project(input, q, k, v);
  q = rotate(q, cosine, sine);
  k = rotate(k, cosine, sine);
}

at::Tensor TransformerBlock::gated(const at::Tensor& input) const {
  return at::silu(state_->apply(LinearKind::kGate, input)) * state_->apply(LinearKind::kUp, input);
}

at::Tensor TransformerBlock::add_linear(const at::Tensor& x, LinearKind kind,
                                        const at::Tensor& input) const {
  return x + state_->apply(kind, input);
}

at::Tensor TransformerBlock::attend(const at::Tensor& input, RotaryTable& rotary) const {
  const ModelConfig& config = state_->config;
  const std::int64_t tokens = input.size(0);
  lengthen(rotary, config, narrow<std::size_t>(tokens));
  const auto [cosine, sine] = state_->angles(rotary, tokens);
  at::Tensor q;
  at::Tensor k;
  at::Tensor v;
  project(input, cosine, sine, q, k, v);
  const std::int64_t group = extent(config.heads / config.kv_heads);
  const auto per_query = [&](const at::Tensor& x) {  // [T, kv_heads, d] -> [1, heads, T, d]
    return x.unsqueeze(2)
        .expand({-1, -1, group, -1})
        .reshape({tokens, -1, x.size(-1)})
        .transpose(0, 1)
        .unsqueeze(0);
  };
  const at::Tensor mixed =
      at::scaled_dot_product_attention(q.transpose(0, 1).unsqueeze(0), per_query(k), per_query(v),
                                       {}, /*dropout_p=*/0.0, /*is_causal=*/true);
  return mixed.squeeze(0).transpose(0, 1).reshape({tokens, -1});
}

at::Tensor TransformerBlock::behind_attention(const at::Tensor& x, const at::Tensor& mixed) const {
  const at::Tensor attended = add_linear(x, LinearKind::kO, mixed);
  return add_linear(attended, LinearKind::kDown, gated(mlp_input(attended)));
}

at::Tensor TransformerBlock::forward(const at::Tensor& x, RotaryTable& rotary) const {
  return behind_attention(x, attend(attention_input(x), rotary));
}

void TransformerBlock::require_gradients() {
  for (at::Tensor& weight : state_->linear) {
    weight.requires_grad_();
  }
  for (at::Tensor* norm : state_->norms()) {
    norm->requires_grad_();
  }
}

void TransformerBlock::require_gradients(const std::array<bool, kLinearKinds.size()>& linears) {
  for (std::size_t i = 0; i < linears.size(); ++i) {
    state_->linear.at(i).requires_grad_(linears.at(i));
  }
}

void TransformerBlock::take_gradients(BlockWeights& sums) {
  const auto take = [](at::Tensor& leaf, const at::Tensor& sum) {
    if (leaf.grad().defined()) {
      sum.add_(leaf.grad().cpu());
      leaf.mutable_grad().reset();
    }
  };
  for (std::size_t i = 0; i < state_->linear.size(); ++i) {
    take(state_->linear.at(i), borrow(sums.linear.at(i)));
  }
  take(state_->input_norm, borrow(sums.input_norm));
  take(state_->post_attention_norm, borrow(sums.post_attention_norm));
  if (state_->config.qk_norm) {
    take(state_->q_norm, borrow(sums.q_norm));
    take(state_->k_norm, borrow(sums.k_norm));
  }
}

LinearTensors TransformerBlock::take_linear_gradients() {
  LinearTensors gradients;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    at::Tensor& leaf = state_->linear.at(i);
    gradients.at(i) = leaf.grad();
    leaf.mutable_grad().reset();
  }
  return gradients;
}

struct TransformerHead::State {
  TorchPlace place;
  std::vector<float> norm_values;  ///< as the head's, not needed on a device once they are there
  Matrix<float> head_values;
  double norm_eps;
  at::Tensor norm, head;

  State(const ModelSource& model, TorchPlace torch_place)
      : place(torch_place),
        norm_values(model.final_norm()),
        head_values(model.head()),
        norm_eps(model.config().norm_eps),
        norm(moved_to(place, borrow(norm_values))),
        head(moved_to(place, borrow(head_values))) {
    if (place.on_device()) {
      head_values = Matrix<float>();
    }
  }
};

TransformerHead::TransformerHead(const ModelSource& model, TorchPlace place)
    : state_(std::make_unique<State>(model, place)) {}
TransformerHead::~TransformerHead() = default;
TransformerHead::TransformerHead(TransformerHead&&) noexcept = default;
TransformerHead& TransformerHead::operator=(TransformerHead&&) noexcept = default;

const TorchPlace& TransformerHead::place() const { return state_->place; }

at::Tensor TransformerHead::logits(const at::Tensor& hidden) const {
  return at::linear(rms_norm(hidden, state_->norm, state_->norm_eps), state_->head);
}

}  // namespace btc
