#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/softmax.h>
#include <c10/core/InferenceMode.h>

#include <utility>

#include "common/error.hpp"
#include "common/rng.hpp"
#include "model/block_forward.hpp"
#include "model/transformer.hpp"

namespace btc {

namespace {

/// Keys and values of all positions so far, one pair per block.
struct KeyValueCache {
  at::Tensor keys;    ///< [B, kv_heads, length, head_dim]
  at::Tensor values;  ///< [B, kv_heads, length, head_dim]
};

/// All blocks in memory, one position of B sequences at a time.
class Decoder {
 public:
  Decoder(const ModelSource& model, std::size_t sequences, std::size_t length)
      : model_(model), head_(model), rotary_(rotary_table(model.config(), length)) {
    const ModelConfig& config = model.config();
    const std::vector<std::int64_t> shape = {
        narrow<std::int64_t>(sequences), narrow<std::int64_t>(config.kv_heads),
        narrow<std::int64_t>(length), narrow<std::int64_t>(config.head_dim)};
    for (int block = 0; block < config.blocks; ++block) {
      blocks_.emplace_back(config, model.load_block(block));
      caches_.push_back({at::empty(shape, at::kFloat), at::empty(shape, at::kFloat)});
    }
  }

  /// Probabilities of the next id [B, vocab], given the ids [B] at `position`.
  at::Tensor step(std::span<const std::int32_t> ids, std::int64_t position) {
    const Matrix<float> embedded = model_.embed(ids);
    at::Tensor x = borrow(embedded.view());
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const TransformerBlock& block = blocks_[i];
      const at::Tensor mixed = attend(block, caches_[i], block.attention_input(x), position);
      x = block.add_linear(x, LinearKind::kO, mixed);
      x = block.add_linear(x, LinearKind::kDown, block.gated(block.mlp_input(x)));
    }
    return at::softmax(head_.logits(x), -1);
  }

 private:
  at::Tensor attend(const TransformerBlock& block, KeyValueCache& cache, const at::Tensor& input,
                    std::int64_t position) {
    at::Tensor q;
    at::Tensor k;
    at::Tensor v;
    block.project(input, borrow(rotary_.cosine).narrow(0, position, 1),
                  borrow(rotary_.sine).narrow(0, position, 1), q, k, v);
    cache.keys.select(2, position).copy_(k);
    cache.values.select(2, position).copy_(v);
    // The queries that share a key act as rows of one small query matrix: no copy of the keys.
    const at::Tensor grouped = q.view({q.size(0), k.size(1), -1, q.size(2)});
    const at::Tensor mixed = at::scaled_dot_product_attention(
        grouped, cache.keys.narrow(2, 0, position + 1), cache.values.narrow(2, 0, position + 1));
    return mixed.reshape({q.size(0), -1});
  }

  const ModelSource& model_;
  TransformerHead head_;
  RotaryTable rotary_;
  std::vector<TransformerBlock> blocks_;
  std::vector<KeyValueCache> caches_;
};

/// The id whose share of [0, 1) holds `point`. @param probabilities sum to about 1
std::int32_t choose(std::span<const float> probabilities, double point) {
  double reached = 0;
  std::size_t last = 0;
  for (std::size_t id = 0; id < probabilities.size(); ++id) {
    if (probabilities[id] > 0) {
      last = id;
      reached += static_cast<double>(probabilities[id]);
      if (reached > point) {
        break;
      }
    }
  }
  return narrow<std::int32_t>(last);
}

}  // namespace

std::vector<std::vector<std::int32_t>> sample_sequences(const ModelSource& model,
                                                        std::size_t length,
                                                        std::span<const std::uint64_t> seeds) {
  if (seeds.empty() || length == 0) {
    return std::vector<std::vector<std::int32_t>>(seeds.size());
  }
  const c10::InferenceMode inference;
  const ModelConfig& config = model.config();
  std::vector<Rng> generators(seeds.begin(), seeds.end());
  std::vector<std::int32_t> ids;
  std::vector<std::vector<std::int32_t>> sequences(seeds.size());
  for (std::size_t s = 0; s < seeds.size(); ++s) {
    ids.push_back(config.bos_id ? *config.bos_id
                                : narrow<std::int32_t>(generators[s].below(config.vocab_size)));
    sequences[s].push_back(ids[s]);
  }
  Decoder decoder(model, seeds.size(), length);
  for (std::size_t position = 0; position + 1 < length; ++position) {
    const at::Tensor probabilities = decoder.step(ids, narrow<std::int64_t>(position));
    const MatrixView<const float> rows(probabilities.const_data_ptr<float>(), seeds.size(),
                                       config.vocab_size);
    for (std::size_t s = 0; s < seeds.size(); ++s) {
      ids[s] = choose(rows.row(s), generators[s].uniform());
      sequences[s].push_back(ids[s]);
    }
  }
  return sequences;
}

}  // namespace btc
