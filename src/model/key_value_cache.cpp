#include "model/key_value_cache.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "common/matrix.hpp"

namespace btc {

namespace {

constexpr std::size_t kTile = 16;
/// Lanes of values that are summed side by side, to hide the latency of an addition.
constexpr std::size_t kWide = 4;
/// 16 floats that the compiler keeps in vector registers.
using Lanes __attribute__((vector_size(kTile * sizeof(float)))) = float;

Lanes load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

}  // namespace

KeyValueCache::KeyValueCache(const Shape& shape)
    : shape_(shape),
      key_stride_(ceil_div(shape.length, kTile) * kTile * shape.head_dim),
      value_stride_(shape.length * shape.head_dim),
      keys_(shape.items * key_stride_),
      // Values are read kWide lanes at a time, beyond the end of a row: room behind the last one.
      values_(shape.items * value_stride_ + kWide * kTile) {}

void KeyValueCache::store(std::size_t item, std::size_t position, const float* key,
                          const float* value) {
  float* tile = keys_.data() + item * key_stride_ + position / kTile * kTile * shape_.head_dim;
  for (std::size_t d = 0; d < shape_.head_dim; ++d) {
    tile[d * kTile + position % kTile] = key[d];
  }
  std::copy_n(value, shape_.head_dim,
              values_.data() + item * value_stride_ + position * shape_.head_dim);
}

void KeyValueCache::score(std::size_t item, std::size_t count, const float* query,
                          float* scores) const {
  const float scale = 1.0F / std::sqrt(static_cast<float>(shape_.head_dim));
  const float* tile = keys_.data() + item * key_stride_;
  for (std::size_t begin = 0; begin < count; begin += kTile) {
    const std::size_t width = std::min(kTile, count - begin);
    for (std::size_t g = 0; g < shape_.queries; ++g) {
      Lanes even = {};
      Lanes odd = {};
      const float* q = query + g * shape_.head_dim;
      for (std::size_t d = 0; d < shape_.head_dim; d += 2) {
        even += q[d] * load(tile + d * kTile);
        odd += q[d + 1] * load(tile + (d + 1) * kTile);
      }
      even = (even + odd) * scale;
      std::memcpy(scores + g * count + begin, &even, width * sizeof(float));
    }
    tile += kTile * shape_.head_dim;
  }
}

void KeyValueCache::mix(std::size_t item, std::size_t count, const float* weights,
                        float* mixed) const {
  const float* values = values_.data() + item * value_stride_;
  for (std::size_t g = 0; g < shape_.queries; ++g) {
    const float* w = weights + g * count;
    for (std::size_t begin = 0; begin < shape_.head_dim; begin += kWide * kTile) {
      const std::size_t width = std::min(kWide * kTile, shape_.head_dim - begin);
      Lanes a = {};
      Lanes b = {};
      Lanes c = {};
      Lanes d = {};
      const float* value = values + begin;
      for (std::size_t t = 0; t < count; ++t, value += shape_.head_dim) {
        a += w[t] * load(value);
        b += w[t] * load(value + kTile);
        c += w[t] * load(value + 2 * kTile);
        d += w[t] * load(value + 3 * kTile);
      }
      const std::array<Lanes, kWide> sum = {a, b, c, d};
      std::memcpy(mixed + g * shape_.head_dim + begin, sum.data(), width * sizeof(float));
    }
  }
}

}  // namespace btc
