/// Where the device's factorisation reads H and writes U, with plain loops in cuSOLVER's place.
#include <gmock/gmock.h>

#include <cmath>

#include "backend/backend.hpp"
#include "common/rng.hpp"
#include "cuda/factor.hpp"

namespace btc::cuda {
namespace {

/// A := L^-1 of A = L L^T, both in the lower triangle, column-major.
void invert_cholesky(std::vector<double>& a, std::size_t m) {
  const auto at = [&](std::size_t i, std::size_t j) -> double& { return a[j * m + i]; };
  for (std::size_t j = 0; j < m; ++j) {
    for (std::size_t i = j; i < m; ++i) {
      for (std::size_t l = 0; l < j; ++l) {
        at(i, j) -= at(i, l) * at(j, l);
      }
      at(i, j) = i == j ? std::sqrt(at(i, j)) : at(i, j) / at(j, j);
    }
  }
  for (std::size_t j = 0; j < m; ++j) {
    at(j, j) = 1 / at(j, j);
    for (std::size_t i = j + 1; i < m; ++i) {
      double sum = 0;
      for (std::size_t l = j; l < i; ++l) {
        sum += at(i, l) * at(l, j);
      }
      at(i, j) = -sum / at(i, i);
    }
  }
}

TEST(FactorKernel, ReversalGivesTheFactorOfTheReference) {
  constexpr std::size_t kSize = 9;
  Rng rng(4);
  Matrix<float> h(kSize, kSize);
  for (std::size_t i = 0; i < kSize; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      h(i, j) = h(j, i) = static_cast<float>((i == j ? 5 : 0) + 0.5 * rng.normal());
    }
  }
  std::vector<double> a(kSize * kSize);
  for (std::size_t e = 0; e < a.size(); ++e) {
    a[e] = reversed_element(h.view(), e);
  }
  invert_cholesky(a, kSize);
  const Matrix<float> expected = make_reference_backend()->factor(h.view());
  for (std::size_t i = 0; i < kSize; ++i) {
    for (std::size_t j = 0; j < kSize; ++j) {
      EXPECT_NEAR(factor_element(a.data(), kSize, i, j), expected(i, j), 1e-7) << i << ", " << j;
    }
  }
}

}  // namespace
}  // namespace btc::cuda
