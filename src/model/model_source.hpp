#pragma once
/// Where weights come from: an original checkpoint, or a packed model that dequantizes.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/ids.hpp"
#include "common/matrix.hpp"
#include "model/model_config.hpp"

namespace btc {

/// All weights of one transformer block, fp32.
struct BlockWeights {
  std::array<Matrix<float>, kLinearKinds.size()> linear;     ///< [n, m] by index_of(kind)
  std::array<std::vector<float>, kLinearKinds.size()> bias;  ///< [n] or empty
  std::vector<float> input_norm;                             ///< [hidden]
  std::vector<float> post_attention_norm;                    ///< [hidden]
  std::vector<float> q_norm, k_norm;                         ///< [head_dim] or empty
};

/// A model whose blocks are read one at a time. Reading is safe from several threads.
class ModelSource {
 public:
  virtual ~ModelSource() = default;
  [[nodiscard]] virtual const ModelConfig& config() const = 0;
  [[nodiscard]] virtual BlockWeights load_block(int block) const = 0;
  /// Embedding rows of the ids [T, hidden]. @throws InputError for an id outside the vocabulary
  [[nodiscard]] virtual Matrix<float> embed(std::span<const std::int32_t> ids) const = 0;
  [[nodiscard]] virtual std::vector<float> final_norm() const = 0;
  /// Output head [vocab, hidden] (the embedding if tied).
  [[nodiscard]] virtual Matrix<float> head() const = 0;
};

}  // namespace btc
