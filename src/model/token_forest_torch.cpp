/// Attention over the trees of a forest.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "common/error.hpp"
#include "model/transformer.hpp"

namespace btc {

namespace {

/// Rotates x [N, heads, head_dim] by the positions of its tokens, in place: one pass over memory,
/// where tensor operations take six. On the CPU.
void rotate_in_place(const at::Tensor& x, std::span<const std::int64_t> positions,
                     const RotaryTable& rotary) {
  auto* values = x.mutable_data_ptr<float>();
  const auto width = narrow<std::size_t>(x.size(1) * x.size(2));
  at::parallel_for(0, x.size(0), 64, [&](std::int64_t begin, std::int64_t end) {
    for (auto t = static_cast<std::size_t>(begin); std::cmp_less(t, end); ++t) {
      const auto position = static_cast<std::size_t>(positions[t]);
      rotate_heads({values + t * width, width}, rotary.cosine.row(position),
                   rotary.sine.row(position));
    }
  });
}

/// The rows of a table at the positions of the tokens [N, cols].
at::Tensor rows_at(const TorchPlace& place, const Matrix<float>& table, const at::Tensor& index) {
  return tensor_at(place, table.view()).index_select(0, index.to(options_at(place).device()));
}

}  // namespace

at::Tensor attend(const TransformerBlock& block, const at::Tensor& input, const TokenForest& forest,
                  RotaryTable& rotary) {
  const ModelConfig& config = block.config();
  const TorchPlace& place = block.place();
  std::vector<std::int64_t> positions = forest.positions();
  const auto length = static_cast<std::size_t>(
      positions.empty() ? 0 : *std::max_element(positions.begin(), positions.end()) + 1);
  lengthen(rotary, config, length);
  const auto tokens = narrow<std::int64_t>(forest.tokens());
  at::Tensor q;
  at::Tensor k;
  at::Tensor v;
  if (place.on_device()) {
    const at::Tensor index = at::from_blob(positions.data(), {tokens}, at::kLong);
    block.project(input, rows_at(place, rotary.cosine, index), rows_at(place, rotary.sine, index),
                  q, k, v);
  } else {
    block.project(input, q, k, v);
    rotate_in_place(q, positions, rotary);
    rotate_in_place(k, positions, rotary);
  }
  const auto group = narrow<std::int64_t>(config.heads / config.kv_heads);
  const at::Tensor mixed = at::empty(q.sizes(), q.options());
  const auto entries = [&](std::size_t tree) {
    return (forest.tree_start[tree + 1] - forest.tree_start[tree]) * config.heads * config.head_dim;
  };
  share_out(place, forest.trees(), entries, [&](std::size_t tree) {
    const c10::InferenceMode inference;  // of this thread
    const auto first = narrow<std::int64_t>(forest.tree_start[tree]);
    const auto n = narrow<std::int64_t>(forest.tree_start[tree + 1]) - first;
    const auto of_tree = [&](const at::Tensor& x) {  // [N, heads, d] -> [1, heads, n, d]
      return x.narrow(0, first, n).transpose(0, 1).unsqueeze(0);
    };
    const auto per_query = [&](const at::Tensor& x) {  // [N, kv_heads, d] -> [1, heads, n, d]
      return of_tree(x).unsqueeze(2).expand({-1, -1, group, -1, -1}).reshape({1, -1, n, x.size(2)});
    };
    const bool chain = forest.is_chain(tree);
    std::vector<float> values;
    std::optional<at::Tensor> mask;
    if (!chain) {
      values = forest.attention_mask(tree);
      mask = at::from_blob(values.data(), {n, n}, at::kFloat).to(q.device());
    }
    of_tree(mixed).copy_(at::scaled_dot_product_attention(of_tree(q), per_query(k), per_query(v),
                                                          mask, /*dropout_p=*/0.0,
                                                          /*is_causal=*/chain));
  });
  return mixed.view({tokens, -1});
}

}  // namespace btc
