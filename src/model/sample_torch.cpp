#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/softmax.h>
#include <c10/core/InferenceMode.h>

#include <utility>

#include "common/error.hpp"
#include "common/rng.hpp"
#include "model/block_forward.hpp"
#include "model/key_value_cache.hpp"
#include "model/transformer.hpp"

namespace btc {

namespace {

/// All blocks in memory, one position of B sequences at a time.
class Decoder {
 public:
  Decoder(const ModelSource& model, std::size_t sequences, std::size_t length)
      : model_(model), head_(model), rotary_(rotary_table(model.config(), length)) {
    const ModelConfig& config = model.config();
    const KeyValueCache::Shape shape = {sequences * config.kv_heads, config.heads / config.kv_heads,
                                        config.head_dim, length};
    for (int block = 0; block < config.blocks; ++block) {
      blocks_.emplace_back(config, model.load_block(block));
      caches_.emplace_back(shape);
    }
  }

  /// Probabilities of the next id [B, vocab], given the ids [B] at `position`.
  at::Tensor step(std::span<const std::int32_t> ids, std::size_t position) {
    const Matrix<float> embedded = model_.embed(ids);
    at::Tensor x = borrow(embedded.view());
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const TransformerBlock& block = blocks_[i];
      const at::Tensor mixed = attend(block, caches_[i], block.attention_input(x), position);
      x = block.behind_attention(x, mixed);
    }
    return at::softmax(head_.logits(x), -1);
  }

 private:
  at::Tensor attend(const TransformerBlock& block, KeyValueCache& cache, const at::Tensor& input,
                    std::size_t position) {
    const auto row = narrow<std::int64_t>(position);
    at::Tensor q;
    at::Tensor k;
    at::Tensor v;
    block.project(input, borrow(rotary_.cosine).narrow(0, row, 1),
                  borrow(rotary_.sine).narrow(0, row, 1), q, k, v);
    const KeyValueCache::Shape& shape = cache.shape();
    const std::size_t count = position + 1;
    const std::size_t width = shape.queries * shape.head_dim;
    const float* queries = q.const_data_ptr<float>();
    const float* keys = k.const_data_ptr<float>();
    const float* values = v.const_data_ptr<float>();
    Matrix<float> scores(shape.items * shape.queries, count);
    const auto items = narrow<std::int64_t>(shape.items);
    at::parallel_for(0, items, 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<std::size_t>(begin); std::cmp_less(i, end); ++i) {
        cache.store(i, position, keys + i * shape.head_dim, values + i * shape.head_dim);
        cache.score(i, count, queries + i * width, scores.row(i * shape.queries).data());
      }
    });
    const at::Tensor weights = at::softmax(borrow(scores), -1);
    const float* weight = weights.const_data_ptr<float>();
    at::Tensor mixed = at::empty({q.size(0), q.size(1) * q.size(2)}, at::kFloat);
    auto* mixed_data = mixed.mutable_data_ptr<float>();
    at::parallel_for(0, items, 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<std::size_t>(begin); std::cmp_less(i, end); ++i) {
        cache.mix(i, count, weight + i * shape.queries * count, mixed_data + i * width);
      }
    });
    return mixed;
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
    const at::Tensor probabilities = decoder.step(ids, position);
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
