#pragma once
/// What a packed Linear is made of, in shares.

#include <cstddef>
#include <optional>
#include <vector>

#include "common/ids.hpp"
#include "common/matrix.hpp"
#include "quant/quantized_linear.hpp"

namespace btc {

struct LinearStatistics {
  int block = 0;
  LinearKind kind = LinearKind::kQ;
  std::size_t rows = 0;
  std::size_t cols = 0;
  double salient_share = 0;              ///< of the columns
  std::vector<double> group_shares;      ///< [G] of the entries outside salient columns
  std::vector<double> salient_shares;    ///< [g] of the entries in salient columns, or empty
  std::optional<double> relative_error;  ///< of the weights, where the original is known
};

LinearStatistics linear_statistics(int block, LinearKind kind, const QuantizedLinear& linear);

/// |Q - W| / |W| in the Frobenius norm, fp64. @pre equal shapes
double relative_weight_error(const Matrix<float>& packed, const Matrix<float>& original);

}  // namespace btc
