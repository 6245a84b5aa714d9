// Rows of weights that stay small in memory, and products with them.

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "common/half.hpp"
#include "common/rng.hpp"
#include "generate/resident_matrix.hpp"
#include "support/random_matrix.hpp"
#include "unit/pack/packed_cases.hpp"
#include "unit/pack/random_block.hpp"

namespace btc {
namespace {

using test::random_matrix;
using ::testing::StrEq;

template <typename Rows>
Matrix<float> all_rows(const Rows& rows) {
  Matrix<float> matrix(rows.rows(), rows.cols());
  RowScratch scratch;
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    std::copy_n(rows.row(i, scratch), rows.cols(), matrix.row(i).begin());
  }
  return matrix;
}

class PlaneRowsOf : public ::testing::TestWithParam<test::PackedCase> {};

TEST_P(PlaneRowsOf, AreTheDequantizedRowsBitForBit) {
  const test::PackedCase& c = GetParam();
  for (const std::size_t cols : {203U, 640U}) {
    const test::RandomBlock random(c.format, c.codewords, c.salient, 11, c.upper_share, cols);
    for (const QuantizedLinear& linear : random.block.linear) {
      EXPECT_EQ(all_rows(PlaneRows(linear)), dequantize(linear));
    }
  }
}

TEST_P(PlaneRowsOf, TakeFewBitsPerWeight) {
  const test::PackedCase& c = GetParam();
  const test::RandomBlock random(c.format, c.codewords, c.salient, 11, c.upper_share);
  const QuantizedLinear& linear = random.block.linear.back();
  const std::size_t weights = linear.rows * linear.cols;
  const double planes =
      c.format.level_bits > 0 ? c.format.level_bits : 1 + std::ceil(std::log2(c.format.groups));
  // Scales of such short rows weigh much: they are counted one by one.
  const std::size_t scales = linear.alpha.size() + linear.mu.size() + linear.salient_alpha.size() +
                             linear.salient_mu.size();
  const std::size_t columns = linear.alpha_col.size() + linear.mu_col.size() +
                              linear.salient_alpha_col.size() + linear.salient_columns.size();
  const double expected = planes * static_cast<double>(weights) / 8 +
                          3.0 * static_cast<double>(linear.residual.bytes().size()) +
                          static_cast<double>(2 * scales + 4 * columns + linear.zero.size());
  const auto bytes = static_cast<double>(PlaneRows(linear).bytes());
  EXPECT_LT(bytes, expected + 64.0 * static_cast<double>(linear.rows));
  EXPECT_LT(bytes, 4.0 * static_cast<double>(weights));
}

INSTANTIATE_TEST_SUITE_P(Formats, PlaneRowsOf, ::testing::ValuesIn(test::packed_cases()),
                         [](const auto& c) { return std::string(c.param.name); });

TEST(DenseRows, StayInTheSmallestTypeThatIsExact) {
  Matrix<float> bf16 = random_matrix(5, 37, 1);
  Matrix<float> fp16 = bf16;
  for (float& value : bf16.values()) {
    value = bf16_to_float(float_to_bf16(value));
  }
  for (float& value : fp16.values()) {
    value = round_to_fp16(value);
  }
  fp16(4, 36) = 0x1p-24F;  // the smallest fp16 number
  fp16(0, 0) = -65504.0F;  // and the largest
  const Matrix<float> fp32 = random_matrix(5, 37, 2);
  EXPECT_THAT(DenseRows(bf16).dtype(), StrEq("bf16"));
  EXPECT_THAT(DenseRows(fp16).dtype(), StrEq("fp16"));
  EXPECT_THAT(DenseRows(fp32).dtype(), StrEq("fp32"));
  EXPECT_EQ(all_rows(DenseRows(bf16)), bf16);
  EXPECT_EQ(all_rows(DenseRows(fp16)), fp16);
  EXPECT_EQ(all_rows(DenseRows(fp32)), fp32);
  EXPECT_LT(2 * DenseRows(bf16).bytes(), DenseRows(fp32).bytes() + 100);
}

TEST(Multiply, IsTheProductForAnyWidthAndNumberOfTokens) {
  const Workers workers(2);
  for (const std::size_t cols : {1U, 15U, 16U, 65U, 203U}) {
    const Matrix<float> w = random_matrix(9, cols, cols);
    const Matrix<float> u = random_matrix(4, cols, cols + 1);
    const std::vector<float> bias = {1, 2, 3, 4};
    const ResidentMatrix first = DenseRows(w);
    const ResidentMatrix second = DenseRows(u);
    for (const std::size_t tokens : {1U, 3U, 4U, 9U}) {
      const Matrix<float> x = random_matrix(tokens, cols, 77);
      Matrix<float> y(tokens, 9);
      Matrix<float> z(tokens, 4);
      const std::vector<Product> products = {{&first, {}, y.view()}, {&second, bias, z.view()}};
      multiply(products, x.view(), workers);
      const auto expect_product = [&](const Matrix<float>& weights, const Matrix<float>& out,
                                      bool biased) {
        for (std::size_t t = 0; t < tokens; ++t) {
          for (std::size_t i = 0; i < weights.rows(); ++i) {
            const auto row = weights.row(i);
            const double sum = std::inner_product(row.begin(), row.end(), x.row(t).begin(), 0.0);
            EXPECT_NEAR(out(t, i), sum + (biased ? bias[i] : 0.0F), 1e-4);
          }
        }
      };
      expect_product(w, y, false);
      expect_product(u, z, true);
    }
  }
}

TEST(Multiply, DoesNotDependOnTheNumberOfThreads) {
  const ResidentMatrix weights = DenseRows(random_matrix(700, 512, 3));
  const Matrix<float> x = random_matrix(3, 512, 4);
  std::vector<Matrix<float>> results;
  for (const int threads : {1, 2, 3}) {
    Matrix<float>& out = results.emplace_back(3, 700);
    const Product product = {&weights, {}, out.view()};
    multiply({&product, 1}, x.view(), Workers(threads));
  }
  EXPECT_EQ(results[1], results[0]);
  EXPECT_EQ(results[2], results[0]);
}

}  // namespace
}  // namespace btc
