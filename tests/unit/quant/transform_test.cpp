#include "quant/transform.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "common/half.hpp"
#include "common/rng.hpp"
#include "support/random_matrix.hpp"

namespace btc {
namespace {

using test::random_matrix;
using ::testing::ElementsAre;

/// P1 (x) P2 written out.
Matrix<double> kronecker(const KroneckerFactors& factors) {
  const std::size_t b = factors.p2.rows();
  const std::size_t m = factors.p1.rows() * b;
  Matrix<double> full(m, m);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < m; ++j) {
      full(i, j) = static_cast<double>(factors.p1(i / b, j / b)) *
                   static_cast<double>(factors.p2(i % b, j % b));
    }
  }
  return full;
}

Matrix<double> product(const Matrix<double>& x, const Matrix<double>& y) {
  Matrix<double> result(x.rows(), y.cols());
  for (std::size_t i = 0; i < x.rows(); ++i) {
    for (std::size_t j = 0; j < y.cols(); ++j) {
      for (std::size_t k = 0; k < x.cols(); ++k) {
        result(i, j) += x(i, k) * y(k, j);
      }
    }
  }
  return result;
}

void expect_near(const Matrix<float>& found, const Matrix<double>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found.values()[i], expected.values()[i], tolerance) << i;
  }
}

KroneckerFactors random_factors(std::size_t a, std::size_t b) {
  return {round_factor(random_orthogonal(a, 1)), round_factor(random_orthogonal(b, 2))};
}

/// Not orthogonal.
KroneckerFactors skewed_factors() {
  KroneckerFactors factors = random_factors(3, 4);
  factors.p1(0, 1) += 0.5F;
  factors.p2(2, 0) -= 0.25F;
  return factors;
}

TEST(FactorPair, IsClosestToASquareAmongThoseWithAMultipleOfEight) {
  EXPECT_THAT(factor_pair(4096), ElementsAre(64, 64));
  EXPECT_THAT(factor_pair(11008), ElementsAre(86, 128));
  EXPECT_THAT(factor_pair(5120), ElementsAre(64, 80));
  EXPECT_THAT(factor_pair(13824), ElementsAre(108, 128));
  EXPECT_THAT(factor_pair(8192), ElementsAre(64, 128));
  EXPECT_THAT(factor_pair(28672), ElementsAre(128, 224));
  EXPECT_THAT(factor_pair(704), ElementsAre(22, 32));
  EXPECT_THAT(factor_pair(1000), ElementsAre(25, 40));
  EXPECT_THAT(factor_pair(86), ElementsAre(2, 43));
}

TEST(FactorPair, RefusesAPrime) {
  EXPECT_THROW(factor_pair(1009), ConfigError);
  EXPECT_THROW(factor_pair(2), ConfigError);
}

TEST(RandomOrthogonal, HasOrthonormalRowsAndASeed) {
  const Matrix<double> q = random_orthogonal(37, 5);
  const Matrix<double> gram = product(q, transposed(q));
  for (std::size_t i = 0; i < 37; ++i) {
    for (std::size_t j = 0; j < 37; ++j) {
      EXPECT_NEAR(gram(i, j), i == j ? 1 : 0, 1e-14);
    }
  }
  EXPECT_EQ(random_orthogonal(37, 5), q);
  EXPECT_NE(random_orthogonal(37, 6), q);
}

TEST(ApplyKronecker, IsTheProductWithTheFullMatrix) {
  const KroneckerFactors factors = skewed_factors();
  const Matrix<float> x = random_matrix(5, 12, 3);
  Matrix<float> y = x;
  apply_kronecker(y.view(), widen(factors.p1), widen(factors.p2));
  expect_near(y, product(widen(x), kronecker(factors)), 1e-5);
}

TEST(ApplyKronecker, TakesAnEmptyFactorAsIdentity) {
  KroneckerFactors factors = skewed_factors();
  const Matrix<float> x = random_matrix(5, 12, 3);
  Matrix<float> left = x;
  apply_kronecker(left.view(), widen(factors.p1), {});
  KroneckerFactors identity = factors;
  identity.p2 = Matrix<float>(4, 4);
  for (std::size_t i = 0; i < 4; ++i) {
    identity.p2(i, i) = 1;
  }
  expect_near(left, product(widen(x), kronecker(identity)), 1e-5);
  Matrix<float> same = x;
  apply_kronecker(same.view(), {}, {});
  EXPECT_EQ(same, x);
}

TEST(EnterTransform, LeavesTheProductAsItWas) {
  const KroneckerFactors factors = skewed_factors();
  const Matrix<float> x = random_matrix(5, 12, 3);
  const Matrix<float> w = random_matrix(7, 12, 4);
  Matrix<float> x_after = x;
  Matrix<float> w_after = w;
  apply_kronecker(x_after.view(), widen(factors.p1), widen(factors.p2));
  enter_transform(factors, w_after.view());
  const Matrix<double> expected = product(widen(x), transposed(widen(w)));
  const Matrix<double> found = product(widen(x_after), transposed(widen(w_after)));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(found.values()[i], expected.values()[i], 1e-5);
  }
}

TEST(FoldTransform, UndoesEntering) {
  const KroneckerFactors factors = skewed_factors();
  const Matrix<float> w = random_matrix(7, 12, 4);
  Matrix<float> there = w;
  enter_transform(factors, there.view());
  EXPECT_GT(std::abs(there(0, 0) - w(0, 0)), 1e-3F);
  fold_transform(factors, there.view());
  expect_near(there, widen(w), 1e-6);
}

TEST(FoldRows, GivesTheValuesBeforeTheyAreRounded) {
  const KroneckerFactors factors = skewed_factors();
  const Matrix<float> w = random_matrix(3, 12, 11);
  Matrix<float> folded = w;
  fold_transform(factors, folded.view());
  const Matrix<double> expected = product(widen(w), transposed(kronecker(factors)));
  std::size_t rows = 0;
  fold_rows(factors, w.view(), [&](std::size_t i, std::span<const double> row) {
    ASSERT_EQ(row.size(), 12U);
    for (std::size_t j = 0; j < row.size(); ++j) {
      EXPECT_NEAR(row[j], expected(i, j), 1e-14);
      EXPECT_EQ(static_cast<float>(row[j]), folded(i, j));
    }
    ++rows;
  });
  EXPECT_EQ(rows, 3U);
}

TEST(FoldRows, WithoutFactorsGivesTheWeights) {
  const Matrix<float> w = random_matrix(2, 7, 12);
  fold_rows({}, w.view(), [&](std::size_t i, std::span<const double> row) {
    EXPECT_TRUE(std::equal(row.begin(), row.end(), w.row(i).begin(), w.row(i).end()));
  });
}

TEST(UnfoldGradient, IsTheDerivativeOfFolding) {
  const KroneckerFactors factors = skewed_factors();
  const Matrix<float> gradient = random_matrix(1, 12, 8);  // dL/dW for L = <gradient, W>
  Matrix<float> unfolded = gradient;
  unfold_gradient(factors, unfolded.view());
  for (std::size_t j = 0; j < 12; ++j) {
    Matrix<float> unit(1, 12);
    unit(0, j) = 1;
    fold_transform(factors, unit.view());
    double expected = 0;
    for (std::size_t i = 0; i < 12; ++i) {
      expected += static_cast<double>(gradient(0, i)) * static_cast<double>(unit(0, i));
    }
    EXPECT_NEAR(unfolded(0, j), expected, 1e-5);
  }
}

TEST(TransformHessian, IsTheHessianOfTheTransformedInput) {
  const KroneckerFactors factors = skewed_factors();
  Matrix<float> x = random_matrix(40, 12, 9);
  const Matrix<double> h = product(transposed(widen(x)), widen(x));
  Matrix<float> hessian(12, 12);
  std::copy(h.values().begin(), h.values().end(), hessian.values().begin());
  transform_hessian(factors, hessian);
  apply_kronecker(x.view(), widen(factors.p1), widen(factors.p2));
  expect_near(hessian, product(transposed(widen(x)), widen(x)), 1e-3);
  EXPECT_EQ(hessian, transposed(hessian));
}

TEST(RoundFactor, GivesWhatIsStored) {
  const Matrix<float> rounded = round_factor(random_orthogonal(9, 3));
  for (const float value : rounded.values()) {
    EXPECT_EQ(value, fp16_to_float(float_to_fp16(value)));
  }
}

TEST(InvertFactor, InvertsTheRoundedFactor) {
  const KroneckerFactors factors = skewed_factors();
  const Matrix<double> one = product(invert_factor(factors.p1), widen(factors.p1));
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      EXPECT_NEAR(one(i, j), i == j ? 1 : 0, 1e-14);
    }
  }
}

TEST(InvertFactor, RefusesALargeConditionNumber) {
  Matrix<float> factor(2, 2);
  factor(0, 0) = 1;
  factor(1, 1) = 1.0F / 512;
  EXPECT_NO_THROW(invert_factor(factor));
  factor(1, 1) = 1.0F / 2048;
  EXPECT_THROW(invert_factor(factor), NumericError);
  factor(1, 1) = 0;
  EXPECT_THROW(invert_factor(factor), NumericError);
}

}  // namespace
}  // namespace btc
