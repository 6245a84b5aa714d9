#pragma once
/// A whole model in memory, ready to generate: its Linears and head in a small form.

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "generate/resident_matrix.hpp"
#include "model/model_source.hpp"
#include "pack/packed_model.hpp"
#include "quant/transform.hpp"

namespace btc {

/// A Kronecker product in front of Linears, in fp64; empty factors are the identity.
struct OnlineTransform {
  Matrix<double> left;
  Matrix<double> right;
};

struct ResidentBlock {
  std::vector<ResidentMatrix> linear;  ///< by index_of(LinearKind)
  BlockWeights rest;                   ///< norms and biases; its Linears are empty
  std::array<OnlineTransform, kSharedInputs.size()> transform;  ///< by index_of(SharedInput)
};

/// Bytes that stay in memory. The embedding is read row by row from its file.
struct ResidentBytes {
  std::size_t linears = 0;  ///< with their scales and transforms
  std::size_t head = 0;
  std::size_t other = 0;  ///< norms and biases
  [[nodiscard]] std::size_t total() const { return linears + head + other; }
};

struct ResidentModel {
  std::unique_ptr<const ModelSource> source;  ///< of the embedding
  std::vector<ResidentBlock> blocks;
  std::vector<float> final_norm;
  ResidentMatrix head;  ///< [vocab, hidden]

  [[nodiscard]] const ModelConfig& config() const { return source->config(); }
  [[nodiscard]] ResidentBytes bytes() const;
};

/// Every Linear dense, as exact as the source has it. One block at a time is in memory as fp32.
/// @throws what the source throws
ResidentModel load_dense(std::unique_ptr<const ModelSource> source);
/// Linears as bit planes, inputs passing the stored transforms.
/// @throws FormatError
ResidentModel load_packed(std::unique_ptr<const PackedModel> model);

}  // namespace btc
