#include "learn/sign_similarity.hpp"

#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>

#include <cmath>

#include "common/rng.hpp"
#include "model/linear_tensors.hpp"

namespace btc {
namespace {

Matrix<float> random_matrix(std::size_t rows, std::size_t cols) {
  Rng rng(2);
  Matrix<float> matrix(rows, cols);
  for (float& value : matrix.values()) {
    value = static_cast<float>(rng.normal());
  }
  return matrix;
}

SignLosses losses_of(const Matrix<float>& w, std::size_t v, std::size_t eigenvalues) {
  at::Tensor gradient;
  return sign_losses(borrow(w.view()), v, eigenvalues, 1, 1, gradient);
}

Matrix<float> gradient_of(const Matrix<float>& w, std::size_t v, std::size_t eigenvalues,
                          double similarity, double balance) {
  at::Tensor gradient;
  sign_losses(borrow(w.view()), v, eigenvalues, similarity, balance, gradient);
  return to_matrix(gradient);
}

TEST(SignLosses, OnePatternHasNoDissimilarity) {
  Matrix<float> w(6, 8);
  for (std::size_t e = 0; e < w.size(); ++e) {
    w.values()[e] = e % 4 < 2 ? 0.5F : -2.0F;  // + + - - in every sub-vector
  }
  EXPECT_NEAR(losses_of(w, 4, 1).similarity, 0, 1e-12);
  EXPECT_EQ(losses_of(w, 4, 1).balance, 0);
}

TEST(SignLosses, AllPlusIsUnbalanced) {
  EXPECT_EQ(losses_of(Matrix<float>(3, 8, 1.0F), 4, 1).balance, 1);
}

TEST(SignLosses, IndependentSignsSpreadOverAllDimensions) {
  const SignLosses losses = losses_of(random_matrix(400, 64), 8, 2);
  EXPECT_NEAR(losses.similarity, 1 - 2.0 / 8, 0.03);
  EXPECT_LT(losses.balance, 1e-3);
}

// A small step of the signs' latent weights against the gradient flips signs that raise the loss.
TEST(SignLosses, GradientLowersBoth) {
  Matrix<float> w = random_matrix(200, 32);
  for (float& value : w.values()) {
    value += 0.3F;
  }
  const SignLosses before = losses_of(w, 8, 2);
  const Matrix<float> sums = gradient_of(w, 8, 2, 1, 1);
  for (std::size_t e = 0; e < w.size(); ++e) {
    w.values()[e] -= 500 * sums.values()[e];
  }
  const SignLosses after = losses_of(w, 8, 2);
  EXPECT_LT(after.similarity, before.similarity);
  EXPECT_LT(after.balance, before.balance);
}

// The eigenvalues' slope: L_sim is smooth in M, so a central difference in M tells.
TEST(SignLosses, GradientIsTheSlopeInTheSigns) {
  const Matrix<float> w = random_matrix(40, 8);
  const Matrix<float> sums = gradient_of(w, 8, 2, 1, 0);
  // L_sim is homogeneous of degree 2 in M: <dL/dM, M> = 2 (L_sim - 1).
  double mean = 0;
  for (const float value : w.values()) {
    mean += std::fabs(static_cast<double>(value)) / static_cast<double>(w.size());
  }
  double product = 0;
  double small = 0;
  for (std::size_t e = 0; e < w.size(); ++e) {
    const auto value = static_cast<double>(w.values()[e]);
    product += static_cast<double>(sums.values()[e]) * mean * (value < 0 ? -1 : 1);
    small += std::fabs(value) < mean ? 1 : 0;
  }
  const double passed = small / static_cast<double>(w.size());
  EXPECT_NEAR(product / passed, 2 * (losses_of(w, 8, 2).similarity - 1), 0.1);
}

TEST(SignLosses, RefusesAsManyEigenvaluesAsDimensions) {
  EXPECT_THROW(losses_of(random_matrix(4, 8), 4, 4), Error);
}

TEST(SignLosses, BalanceAloneNeedsNoEigenvalues) {
  const Matrix<float> w = random_matrix(4, 8);
  const Matrix<float> alone = gradient_of(w, 4, 4, 0, 0.5);
  EXPECT_EQ(alone, gradient_of(w, 4, 2, 0, 0.5));
  EXPECT_NE(alone, (Matrix<float>(4, 8)));
}

}  // namespace
}  // namespace btc
