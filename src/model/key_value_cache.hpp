#pragma once
/// Keys and values of all positions so far of many sequences, and attention of one new position to
/// them. Such attention reads every cached number once, so the layout is chosen for reading.

#include <cstddef>
#include <vector>

namespace btc {

/// The cache of one block. An item is one key/value head of one sequence; items are independent, so
/// different ones may be worked on by different threads. All sums run in a fixed order.
///
/// Keys lie in tiles of 16 positions, [tile][head_dim][16], so that 16 scores grow side by side:
/// with head_dim 3 the file order is k0[0] k1[0] .. k15[0] k0[1] .. k15[2] k16[0] ...
/// Values lie as [position][head_dim].
class KeyValueCache {
 public:
  struct Shape {
    std::size_t items = 0;     ///< sequences * kv_heads
    std::size_t queries = 0;   ///< heads per kv_head
    std::size_t head_dim = 0;  ///< even
    std::size_t length = 0;    ///< positions at most
  };
  explicit KeyValueCache(const Shape& shape);

  [[nodiscard]] const Shape& shape() const { return shape_; }
  /// @param key, value [head_dim]
  void store(std::size_t item, std::size_t position, const float* key, const float* value);
  /// Products of each query with the keys of positions 0 .. count-1, times 1 / sqrt(head_dim).
  /// @param query [queries, head_dim]  @param scores [queries, count], written
  void score(std::size_t item, std::size_t count, const float* query, float* scores) const;
  /// Sum of the values of positions 0 .. count-1 under each row of weights.
  /// @param weights [queries, count]  @param mixed [queries, head_dim], written
  void mix(std::size_t item, std::size_t count, const float* weights, float* mixed) const;

 private:
  Shape shape_;
  std::size_t key_stride_;    ///< floats per item
  std::size_t value_stride_;  ///< floats per item
  std::vector<float> keys_;
  std::vector<float> values_;
};

}  // namespace btc
