#pragma once
/// Tensors on their way into a packed file.

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "common/pattern.hpp"
#include "io/safetensors.hpp"
#include "quant/codebook.hpp"

namespace btc {

/// Tensors that own their bytes until they are written; `views` borrow from it.
class TensorStore {
 public:
  TensorStore() = default;
  TensorStore(const TensorStore&) = delete;
  TensorStore& operator=(const TensorStore&) = delete;

  void add_bytes(std::string name, std::vector<std::int64_t> shape,
                 std::vector<std::uint8_t> bytes);
  void add_integers(std::string name, std::span<const std::int64_t> values);
  /// Values that fp16 holds exactly. @throws Error naming the tensor for any other
  void add_halves(std::string name, std::vector<std::int64_t> shape, std::span<const float> values);
  /// Values that are -127 .. 127 times their `int8_unit`, as these integers.
  /// @throws Error naming the tensor for any other
  void add_int8(std::string name, std::vector<std::int64_t> shape, std::span<const float> values);
  /// Values of the name, type and shape of `like`, rounded to nearest.
  void add_rounded(const TensorView& like, std::span<const float> values);
  /// `PREFIX.codebook`, codeword k in bits [k v, (k + 1) v), and `PREFIX.codebook_size`; several
  /// codebooks one behind the other, each padded to whole bytes, with the size of each.
  void add_codebooks(const std::string& prefix, std::span<const Codebook> codebooks);
  /// A tensor whose bytes someone else owns.
  void add_view(const TensorView& view) { views_.push_back(view); }
  [[nodiscard]] const std::vector<TensorView>& views() const { return views_; }

 private:
  void add(std::string name, DType dtype, std::vector<std::int64_t> shape,
           std::vector<std::uint8_t> bytes);
  std::deque<std::vector<std::uint8_t>> bytes_;  // elements never move
  std::vector<TensorView> views_;
};

/// Bytes of `count` codewords of this length.
std::size_t codebook_bytes(std::size_t count, int vector_length);

}  // namespace btc
