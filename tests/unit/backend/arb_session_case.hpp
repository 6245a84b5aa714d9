#pragma once
/// Sessions of a backend under test and of the reference on the same Linear.

#include <gmock/gmock.h>

#include <cmath>
#include <memory>
#include <vector>

#include "backend/backend.hpp"
#include "common/rng.hpp"
#include "support/backends.hpp"
#include "support/random_groups.hpp"
#include "support/random_matrix.hpp"

namespace btc::test {

inline constexpr double kDeviation = 0.02;  // about that of trained weights

/// Upper triangular, well conditioned, like the factor of a correlated Hessian.
inline Matrix<float> random_factor(std::size_t m, Rng& rng) {
  Matrix<float> u(m, m);
  for (std::size_t i = 0; i < m; ++i) {
    u(i, i) = static_cast<float>(0.5 + rng.uniform());
    for (std::size_t j = i + 1; j < m; ++j) {
      const double decay = std::exp(-0.3 * static_cast<double>(j - i));
      u(i, j) = static_cast<float>(-0.6 * decay + 0.01 * rng.normal());
    }
  }
  return u;
}

inline double largest(const Matrix<float>& a) {
  double result = 0;
  for (const float x : a.values()) {
    result = std::max(result, std::fabs(static_cast<double>(x)));
  }
  return result;
}

/// |a - b| <= tolerance * max |b|.
inline void expect_close(const Matrix<float>& a, const Matrix<float>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  const double limit = tolerance * largest(b);
  for (std::size_t e = 0; e < a.size(); ++e) {
    ASSERT_NEAR(a.values()[e], b.values()[e], limit) << "element " << e;
  }
}

inline void expect_close(const std::vector<double>& a, const std::vector<double>& b,
                         double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t e = 0; e < a.size(); ++e) {
    ASSERT_NEAR(a[e], b[e], tolerance * std::fabs(b[e])) << "element " << e;
  }
}

inline void expect_equal(const PanelCode& a, const PanelCode& b) {
  EXPECT_EQ(a.signs, b.signs);
  EXPECT_EQ(a.residual, b.residual);
  EXPECT_EQ(a.index, b.index);
  EXPECT_EQ(a.group, b.group);
  EXPECT_EQ(a.target, b.target);
}

class ArbSessionCase : public BackendTest {
 protected:
  /// A session of both backends on the same Linear.
  void open(std::size_t rows, std::size_t cols, std::uint64_t seed) {
    Rng rng(seed);
    w_ = random_matrix(rows, cols, rng, kDeviation);
    u_ = random_factor(cols, rng);
    session_ = backend_->open_arb(w_.view(), u_.view());
    reference_session_ = reference_->open_arb(w_.view(), u_.view());
  }
  std::unique_ptr<Backend> reference_ = make_reference_backend();
  Matrix<float> w_;
  Matrix<float> u_;
  std::unique_ptr<ArbSession> session_;
  std::unique_ptr<ArbSession> reference_session_;
};

}  // namespace btc::test
