#include "generate/resident_matrix.hpp"

#include <algorithm>

#include "generate/dot_product.hpp"

namespace btc {
namespace {

/// Rows [begin, end) of one product.
void multiply_rows(const Product& product, std::size_t begin, std::size_t end,
                   MatrixView<const float> x, RowScratch& scratch) {
  for (std::size_t i = begin; i < end; ++i) {
    const float* row = row_of(*product.weights, i, scratch);
    float* out = product.out.data() + i;
    multiply_row(row, x, out, product.out.stride());
    for (std::size_t t = 0; !product.bias.empty() && t < x.rows(); ++t) {
      out[t * product.out.stride()] += product.bias[i];
    }
  }
}

}  // namespace

std::size_t rows_of(const ResidentMatrix& matrix) {
  return std::visit([](const auto& rows) { return rows.rows(); }, matrix);
}

std::size_t bytes_of(const ResidentMatrix& matrix) {
  return std::visit([](const auto& rows) { return rows.bytes(); }, matrix);
}

const float* row_of(const ResidentMatrix& matrix, std::size_t i, RowScratch& scratch) {
  return std::visit([&](const auto& rows) { return rows.row(i, scratch); }, matrix);
}

void multiply(std::span<const Product> products, MatrixView<const float> x,
              const Workers& workers) {
  // Below this many weights a thread takes longer to wake than to multiply.
  constexpr std::size_t kWeightsOfRange = std::size_t{1} << 17U;
  std::size_t rows = 0;
  for (const Product& product : products) {
    rows += rows_of(*product.weights);
  }
  const std::size_t work_of_row = x.cols() * std::max<std::size_t>(1, x.rows() / 2);
  const std::size_t block = std::max<std::size_t>(1, kWeightsOfRange / work_of_row);
  workers.for_blocks(rows, block, [&](std::size_t begin, std::size_t end) {
    RowScratch scratch;
    std::size_t first = 0;
    for (const Product& product : products) {
      const std::size_t count = rows_of(*product.weights);
      const std::size_t from = std::max(begin, first);
      const std::size_t to = std::min(end, first + count);
      if (from < to) {
        multiply_rows(product, from - first, to - first, x, scratch);
      }
      first += count;
    }
  });
}

}  // namespace btc
