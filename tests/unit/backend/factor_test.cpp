#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/error.hpp"
#include "common/rng.hpp"
#include "support/backends.hpp"

namespace btc {
namespace {

using ::testing::HasSubstr;

class Factor : public test::BackendTest {};
BTC_FOR_ALL_BACKENDS(Factor);

/// X X^T + damping, X [m, m / 2 + 1] normal: positive definite only because of the damping.
Matrix<float> random_hessian(std::size_t m, double damping, std::uint64_t seed) {
  Rng rng(seed);
  Matrix<double> x(m, m / 2 + 1);
  for (auto& value : x.values()) {
    value = rng.normal();
  }
  Matrix<float> h(m, m);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = i == j ? damping : 0.0;
      for (std::size_t k = 0; k < x.cols(); ++k) {
        sum += x(i, k) * x(j, k);
      }
      h(i, j) = h(j, i) = static_cast<float>(sum);
    }
  }
  return h;
}

// H = [4 2; 2 2]: H^-1 = [0.5 -0.5; -0.5 1] = U^T U with U = [0.7071 -0.7071; 0 0.7071].
TEST_P(Factor, HandCheckedTwoByTwo) {
  Matrix<float> h(2, 2);
  h.values() = {4, 2, 2, 2};
  const Matrix<float> u = backend_->factor(h.view());
  const float root = std::sqrt(0.5F);
  EXPECT_FLOAT_EQ(u(0, 0), root);
  EXPECT_FLOAT_EQ(u(0, 1), -root);
  EXPECT_FLOAT_EQ(u(1, 1), root);
  EXPECT_EQ(u(1, 0), 0.0F);
}

// U H U^T = I is the same claim as H^-1 = U^T U. U is rounded to fp32 (relative 6e-8), which the
// product with H (entries up to about m) magnifies.
TEST_P(Factor, InvertsTheHessian) {
  for (const std::size_t m : {1U, 5U, 64U, 300U}) {
    const Matrix<float> h = random_hessian(m, 1.0, m);
    const Matrix<float> u = backend_->factor(h.view());
    for (std::size_t i = 0; i < m; i += 1 + m / 20) {
      std::vector<double> row(m, 0.0);
      for (std::size_t k = i; k < m; ++k) {
        for (std::size_t j = 0; j < m; ++j) {
          row[j] += static_cast<double>(u(i, k)) * static_cast<double>(h(k, j));
        }
      }
      for (std::size_t j = 0; j < m; ++j) {
        double product = 0.0;
        for (std::size_t k = j; k < m; ++k) {
          product += row[k] * static_cast<double>(u(j, k));
        }
        ASSERT_NEAR(product, i == j ? 1.0 : 0.0, 1e-4) << "m " << m << " at " << i << ", " << j;
        ASSERT_TRUE(j >= i || u(i, j) == 0.0F) << "m " << m << " at " << i << ", " << j;
      }
    }
  }
}

// Both sides are fp64 with sums in another order, then rounded once: one step of fp32 at the most
// for entries that are not lost in cancellation, hence relative to the largest of the row.
TEST_P(Factor, MatchesReferenceAroundTileEdges) {
  for (const std::size_t m : {2U, 63U, 255U, 256U, 257U, 513U}) {
    const Matrix<float> h = random_hessian(m, 0.5, 7 * m);
    const Matrix<float> u = backend_->factor(h.view());
    const Matrix<float> expected = make_reference_backend()->factor(h.view());
    for (std::size_t i = 0; i < m; ++i) {
      float largest = 0.0F;
      for (std::size_t j = 0; j < m; ++j) {
        largest = std::max(largest, std::abs(expected(i, j)));
      }
      for (std::size_t j = 0; j < m; ++j) {
        ASSERT_NEAR(u(i, j), expected(i, j), 2e-7F * largest) << "m " << m << " " << i << "," << j;
      }
    }
  }
}

TEST_P(Factor, StridedViewGivesTheSame) {
  const Matrix<float> h = random_hessian(40, 1.0, 3);
  Matrix<float> wide(44, 50);
  for (std::size_t i = 0; i < 40; ++i) {
    for (std::size_t j = 0; j < 40; ++j) {
      wide(i + 3, j + 5) = h(i, j);
    }
  }
  EXPECT_EQ(backend_->factor(wide.view().sub(3, 43, 5, 45)), backend_->factor(h.view()));
}

std::string error_of(Backend& backend, const Matrix<float>& h) {
  try {
    backend.factor(h.view());
  } catch (const NumericError& error) {
    return error.what();
  }
  return "no NumericError";
}

TEST_P(Factor, WhatIsNotPositiveDefiniteIsRefused) {
  Matrix<float> h = random_hessian(300, 1.0, 5);
  h(20, 20) = -1.0F;
  EXPECT_THAT(error_of(*backend_, h), HasSubstr("H [300, 300] is not positive definite"));
  EXPECT_THAT(error_of(*backend_, Matrix<float>(4, 4)), HasSubstr("not positive definite"));
  h(20, 20) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(error_of(*backend_, h), HasSubstr("H[20, 20] is not finite"));
  EXPECT_THAT(error_of(*backend_, Matrix<float>(3, 4)), HasSubstr("got H [3, 4]"));
}

TEST(CpuFactor, BitsDoNotDependOnTheNumberOfThreads) {
  const Matrix<float> h = random_hessian(700, 0.1, 11);
  EXPECT_EQ(make_cpu_backend(1)->factor(h.view()), make_cpu_backend(2)->factor(h.view()));
}

}  // namespace
}  // namespace btc
