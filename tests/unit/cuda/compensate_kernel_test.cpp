/// The device's compensation on teams of host threads, against the reference.
#include "cuda/arb/compensate.hpp"

#include <gmock/gmock.h>

#include "common/rng.hpp"
#include "support/host_team.hpp"
#include "support/random_matrix.hpp"

namespace btc::cuda {
namespace {

using test::random_matrix;

Matrix<float> random_factor(std::size_t m, Rng& rng) {
  Matrix<float> u = random_matrix(m, m, rng);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < m; ++j) {
      u(i, j) = j < i ? 0.0F : (j == i ? static_cast<float>(0.5 + rng.uniform()) : 0.1F * u(i, j));
    }
  }
  return u;
}

class CompensateKernel : public ::testing::TestWithParam<Compensation> {};

// What the launches and the matrix product do on the device, in plain loops.
TEST_P(CompensateKernel, PushesWhatTheReferencePushes) {
  for (const std::size_t width : {1U, 5U, 33U, 40U}) {
    for (const int team_size : {1, 32}) {
      Rng rng(width);
      const std::size_t m = width + 7;
      const Matrix<float> w = random_matrix(3, m, rng);
      const Matrix<float> u = random_factor(m, rng);
      const Matrix<float> q = random_matrix(3, width, rng);
      const Panel panel{2, 2 + width};
      const auto session = make_reference_backend()->open_arb(w.view(), u.view());
      session->compensate(panel, q.view(), GetParam());
      const Matrix<float> expected = session->weights({0, m});
      for (std::size_t i = 0; i < 3; ++i) {
        std::vector<double> error(width);
        test::run_team(team_size, [&](const test::HostTeam& team) {
          panel_error(team, w.row(i).subspan(2, width), q.row(i),
                      u.view().sub(2, 2 + width, 2, 2 + width), GetParam(), error.data());
        });
        for (std::size_t j = panel.end; j < m; ++j) {
          double push = 0;
          for (std::size_t l = 0; l < width; ++l) {
            push += error[l] * static_cast<double>(u(2 + l, j));
          }
          ASSERT_EQ(pushed(w(i, j), push), expected(i, j)) << width << ": " << i << ", " << j;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, CompensateKernel,
                         ::testing::Values(Compensation::kBlock, Compensation::kExact,
                                           Compensation::kSequential));

}  // namespace
}  // namespace btc::cuda
