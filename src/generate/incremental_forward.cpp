#include "generate/incremental_forward.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace btc {
namespace {

/// Tokens of a prompt that pass the weights together.
constexpr std::size_t kChunk = 32;

/// As the published models do it: normalise in fp32, then scale.
void rms_norm(std::span<float> x, std::span<const float> gain, double eps) {
  float sum = 0;
  for (const float value : x) {
    sum += value * value;
  }
  const float mean = sum / static_cast<float>(x.size());
  const float factor = 1.0F / std::sqrt(mean + static_cast<float>(eps));
  for (std::size_t j = 0; j < x.size(); ++j) {
    x[j] = x[j] * factor * gain[j];
  }
}

Matrix<float> normalised(const Matrix<float>& x, std::span<const float> gain, double eps) {
  Matrix<float> out = x;
  for (std::size_t t = 0; t < out.rows(); ++t) {
    rms_norm(out.row(t), gain, eps);
  }
  return out;
}

void add(Matrix<float>& x, const Matrix<float>& change) {
  for (std::size_t e = 0; e < x.size(); ++e) {
    x.values()[e] += change.values()[e];
  }
}

void softmax(std::span<float> scores) {
  const float highest = *std::max_element(scores.begin(), scores.end());
  float sum = 0;
  for (float& score : scores) {
    score = std::exp(score - highest);
    sum += score;
  }
  for (float& score : scores) {
    score /= sum;
  }
}

}  // namespace

IncrementalForward::IncrementalForward(const ResidentModel& model, const Workers& workers,
                                       std::size_t length)
    : model_(model),
      workers_(workers),
      length_(length),
      rotary_(rotary_table(model.config(), length)) {
  const ModelConfig& config = model.config();
  for (int b = 0; b < config.blocks; ++b) {
    caches_.emplace_back(KeyValueCache::Shape{config.kv_heads, config.heads / config.kv_heads,
                                              config.head_dim, length});
  }
}

std::size_t IncrementalForward::cache_bytes() const {
  const ModelConfig& config = model_.config();
  return 2 * sizeof(float) * caches_.size() * config.kv_heads * config.head_dim * length_;
}

std::vector<float> IncrementalForward::append(std::span<const std::int32_t> ids) {
  BTC_CHECK(!ids.empty() && position_ + ids.size() <= length_, ids.size(), " tokens after ",
            position_, ", room for ", length_);
  Matrix<float> x;
  for (std::size_t begin = 0; begin < ids.size(); begin += kChunk) {
    x = model_.source->embed(ids.subspan(begin, std::min(kChunk, ids.size() - begin)));
    for (std::size_t b = 0; b < model_.blocks.size(); ++b) {
      forward_block(b, x);
    }
    position_ += x.rows();
  }
  const auto last = x.row(x.rows() - 1);
  rms_norm(last, model_.final_norm, model_.config().norm_eps);
  std::vector<float> logits(model_.config().vocab_size);
  const Product head = {&model_.head, {}, {logits.data(), 1, logits.size()}};
  multiply({&head, 1}, {last.data(), 1, last.size()}, workers_);
  return logits;
}

void IncrementalForward::pass_transform(std::size_t b, SharedInput input, Matrix<float>& x) const {
  const OnlineTransform& transform = model_.blocks[b].transform.at(index_of(input));
  if (!observer_) {
    apply_kronecker(x.view(), transform.left, transform.right);
    return;
  }
  const Matrix<float> before = x;
  apply_kronecker(x.view(), transform.left, transform.right);
  observer_(static_cast<int>(b), input, before.view(), std::as_const(x).view());
}

std::vector<Matrix<float>> IncrementalForward::products(std::size_t b,
                                                        std::span<const LinearKind> kinds,
                                                        const Matrix<float>& x) const {
  const ResidentBlock& block = model_.blocks[b];
  std::vector<Matrix<float>> out;
  std::vector<Product> products;
  out.reserve(kinds.size());
  for (const LinearKind kind : kinds) {
    const ResidentMatrix& weights = block.linear[index_of(kind)];
    out.emplace_back(x.rows(), rows_of(weights));
    products.push_back({&weights, block.rest.bias.at(index_of(kind)), out.back().view()});
  }
  multiply(products, x.view(), workers_);
  return out;
}

Matrix<float> IncrementalForward::product(std::size_t b, LinearKind kind,
                                          const Matrix<float>& x) const {
  return std::move(products(b, {&kind, 1}, x).front());
}

void IncrementalForward::normalise_heads(Matrix<float>& heads, std::span<const float> gain) const {
  const ModelConfig& config = model_.config();
  for (std::size_t t = 0; t < heads.rows(); ++t) {
    const auto row = heads.row(t);
    for (std::size_t begin = 0; begin < row.size(); begin += config.head_dim) {
      rms_norm(row.subspan(begin, config.head_dim), gain, config.norm_eps);
    }
  }
}

void IncrementalForward::rotate(Matrix<float>& heads) const {
  for (std::size_t t = 0; t < heads.rows(); ++t) {
    rotate_heads(heads.row(t), rotary_.cosine.row(position_ + t), rotary_.sine.row(position_ + t));
  }
}

Matrix<float> IncrementalForward::attend(std::size_t b, const Matrix<float>& q,
                                         const Matrix<float>& k, const Matrix<float>& v) {
  KeyValueCache& cache = caches_[b];
  const KeyValueCache::Shape& shape = cache.shape();
  const std::size_t width = shape.queries * shape.head_dim;
  Matrix<float> mixed(q.rows(), q.cols());
  // Products of one item; an item by itself is worth a thread only in a long sequence.
  constexpr std::size_t kProductsOfRange = std::size_t{1} << 17U;
  const std::size_t work = 2 * q.rows() * width * (position_ + q.rows());
  const std::size_t block = std::max<std::size_t>(1, kProductsOfRange / work);
  workers_.for_blocks(shape.items, block, [&](std::size_t begin, std::size_t end) {
    std::vector<float> scores(shape.queries * (position_ + q.rows()));
    for (std::size_t item = begin; item < end; ++item) {
      for (std::size_t t = 0; t < q.rows(); ++t) {
        const std::size_t count = position_ + t + 1;
        cache.store(item, position_ + t, k.row(t).data() + item * shape.head_dim,
                    v.row(t).data() + item * shape.head_dim);
        cache.score(item, count, q.row(t).data() + item * width, scores.data());
        for (std::size_t g = 0; g < shape.queries; ++g) {
          softmax(std::span(scores).subspan(g * count, count));
        }
        cache.mix(item, count, scores.data(), mixed.row(t).data() + item * width);
      }
    }
  });
  return mixed;
}

void IncrementalForward::forward_block(std::size_t b, Matrix<float>& x) {
  constexpr std::array kQkv = {LinearKind::kQ, LinearKind::kK, LinearKind::kV};
  constexpr std::array kGateUp = {LinearKind::kGate, LinearKind::kUp};
  const ModelConfig& config = model_.config();
  const BlockWeights& rest = model_.blocks[b].rest;

  Matrix<float> input = normalised(x, rest.input_norm, config.norm_eps);
  pass_transform(b, SharedInput::kQkv, input);
  std::vector<Matrix<float>> qkv = products(b, kQkv, input);
  if (config.qk_norm) {
    normalise_heads(qkv[0], rest.q_norm);
    normalise_heads(qkv[1], rest.k_norm);
  }
  rotate(qkv[0]);
  rotate(qkv[1]);
  Matrix<float> mixed = attend(b, qkv[0], qkv[1], qkv[2]);
  pass_transform(b, SharedInput::kO, mixed);
  add(x, product(b, LinearKind::kO, mixed));

  input = normalised(x, rest.post_attention_norm, config.norm_eps);
  pass_transform(b, SharedInput::kGateUp, input);
  std::vector<Matrix<float>> gate_up = products(b, kGateUp, input);
  Matrix<float>& gated = gate_up[0];
  for (std::size_t e = 0; e < gated.size(); ++e) {
    const float gate = gated.values()[e];
    gated.values()[e] = gate / (1.0F + std::exp(-gate)) * gate_up[1].values()[e];
  }
  pass_transform(b, SharedInput::kDown, gated);
  add(x, product(b, LinearKind::kDown, gated));
}

}  // namespace btc
