#pragma once
/// A dense matrix in the smallest of bf16, fp16 and fp32 that holds all of its values exactly: a
/// checkpoint's weights stay as large as they are in its file.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/matrix.hpp"
#include "generate/row_scratch.hpp"

namespace btc {

class DenseRows {
 public:
  DenseRows() = default;
  /// @pre all values are finite
  explicit DenseRows(Matrix<float> weights);

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t cols() const { return cols_; }
  [[nodiscard]] std::size_t bytes() const;
  /// `bf16`, `fp16` or `fp32`.
  [[nodiscard]] const char* dtype() const;
  /// Row i as fp32 [m], valid until the scratch is used again.
  [[nodiscard]] const float* row(std::size_t i, RowScratch& scratch) const;

 private:
  enum class Form { kBf16, kFp16, kFp32 };
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  Form form_ = Form::kFp32;
  std::vector<std::uint16_t> halves_;  ///< [n, m] and room for one load behind them, unless kFp32
  std::vector<float> floats_;          ///< [n, m] if kFp32
};

}  // namespace btc
