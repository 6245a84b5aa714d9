#pragma once
/// Matrices that stay in memory in a small form, and products with them on all threads.

#include <cstddef>
#include <span>
#include <variant>
#include <vector>

#include "backend/cpu/workers.hpp"
#include "common/matrix.hpp"
#include "generate/dense_rows.hpp"
#include "generate/plane_rows.hpp"

namespace btc {

/// A matrix [n, m] whose rows are decoded whenever they are used.
using ResidentMatrix = std::variant<DenseRows, PlaneRows>;

std::size_t rows_of(const ResidentMatrix& matrix);
std::size_t bytes_of(const ResidentMatrix& matrix);
/// Row i as fp32 [m], valid until the scratch is used again.
const float* row_of(const ResidentMatrix& matrix, std::size_t i, RowScratch& scratch);

/// One of several products with the same input.
struct Product {
  const ResidentMatrix* weights = nullptr;  ///< [n, m]
  std::span<const float> bias;              ///< [n] or empty
  MatrixView<float> out;                    ///< [T, n], written
};

/// out = x W^T + bias of every product. Each row of weights is decoded once for all T inputs. The
/// result does not depend on the number of threads.
/// @param x [T, m]
void multiply(std::span<const Product> products, MatrixView<const float> x, const Workers& workers);

}  // namespace btc
