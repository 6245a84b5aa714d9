/// Sums in another order. Errors that are zero there may be last bits of S = 1e-3 squared here.
#include "cuda/arb/score.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "backend/backend.hpp"
#include "common/rng.hpp"
#include "cuda/runtime/column_sums.hpp"
#include "support/host_team.hpp"

namespace btc {
namespace {

void expect_close(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t c = 0; c < a.size(); ++c) {
    ASSERT_NEAR(a[c], b[c], 1e-10 * std::fabs(b[c]) + 1e-36) << "score " << c;
  }
}

/// The column sums of `values` [rows, C], as the device makes them.
std::vector<double> column_sums(Matrix<double> values) {
  while (values.rows() > 1) {
    Matrix<double> sums(ceil_div(values.rows(), cuda::kSumRows), values.cols());
    for (std::size_t chunk = 0; chunk < sums.rows(); ++chunk) {
      for (std::size_t c = 0; c < sums.cols(); ++c) {
        sums(chunk, c) = cuda::sum_rows(MatrixView<const double>(values.view()), chunk, c);
      }
    }
    values = std::move(sums);
  }
  return values.values();
}

struct Problem {
  Problem(std::size_t rows, std::size_t width, std::uint64_t seed)
      : panel{3, 3 + width}, w(rows, width + 5), u(width + 5, width + 5) {
    Rng rng(seed);
    for (float& x : w.values()) {
      x = static_cast<float>(0.02 * rng.normal());
    }
    for (float& x : u.values()) {
      x = static_cast<float>(0.5 + rng.uniform());
    }
    session = make_reference_backend()->open_arb(w.view(), u.view());
  }
  [[nodiscard]] MatrixView<const float> columns() const {
    return w.view().columns(panel.begin, panel.end);
  }
  [[nodiscard]] MatrixView<const float> diagonal() const {
    return u.view().sub(panel.begin, panel.end, panel.begin, panel.end);
  }
  /// Means of what `score(team, i, scratch, scores)` adds; a team has several rows.
  template <typename Score>
  [[nodiscard]] std::vector<double> means(int members, std::size_t count,
                                          const Score& score) const {
    const std::size_t rows = w.rows();
    const std::size_t width = panel.width();
    const std::size_t teams = std::min<std::size_t>(rows, 2);
    Matrix<double> scores(teams, count);
    for (std::size_t t = 0; t < teams; ++t) {
      std::vector<float> floats(2 * width, NAN);
      std::vector<double> doubles(width + 1, NAN);
      const cuda::RowScratch scratch{floats.data(), &floats[width], doubles.data()};
      test::run_team(members, [&](const test::HostTeam& team) {
        for (std::size_t i = t; i < rows; i += teams) {
          score(team, i, scratch, scores.row(t));
        }
      });
    }
    std::vector<double> result = column_sums(std::move(scores));
    for (double& value : result) {
      value /= static_cast<double>(rows * width);
    }
    return result;
  }

  Panel panel;
  Matrix<float> w;
  Matrix<float> u;
  std::unique_ptr<ArbSession> session;
};

template <typename Check>
void for_shapes(const Check& check) {
  for (const std::size_t rows : {1U, 3U, 6U}) {
    for (const std::size_t width : {1U, 5U, 31U, 33U, 40U, 128U, 130U}) {
      for (const int members : {1, 32}) {
        SCOPED_TRACE(concat(rows, " x ", width, ", ", members, " members"));
        check(Problem(rows, width, rows + width), members);
      }
    }
  }
}

TEST(ScoreKernel, SalientScoresEqualTheReference) {
  for_shapes([](const Problem& p, int members) {
    std::vector<std::uint32_t> order(p.panel.width());
    std::iota(order.begin(), order.end(), 0U);
    Rng rng(4);
    for (std::size_t j = order.size(); j > 1; --j) {
      std::swap(order[j - 1], order[rng.below(j)]);
    }
    const cuda::SalientTask task{p.columns(), p.diagonal(), order.data()};
    const std::size_t most = std::min<std::size_t>(49, order.size());
    const auto scores =
        p.means(members, most, [&](const auto& team, auto i, auto& scratch, auto sums) {
          cuda::score_salient_row(team, task, i, scratch, sums);
        });
    expect_close(scores, p.session->score_salient(p.panel, order, most));
  });
}

TEST(ScoreKernel, SplitScoresEqualTheReference) {
  for_shapes([](const Problem& p, int members) {
    Rng rng(5);
    for (const double share : {0.8, 0.0, 1.0}) {
      SplitState state{Matrix<std::uint8_t>(p.w.rows(), p.panel.width()),
                       Matrix<float>(p.w.rows(), p.panel.width())};
      for (auto& flag : state.available.values()) {
        flag = rng.uniform() < share ? 1 : 0;
      }
      for (auto& value : state.fixed.values()) {
        value = static_cast<float>(1e-4 * rng.normal());
      }
      for (const std::size_t splits : {1U, 2U, 3U}) {
        Matrix<float> candidates(81, splits);
        for (std::size_t c = 0; c < candidates.rows(); ++c) {
          for (std::size_t s = 0; s < splits; ++s) {
            candidates(c, s) = static_cast<float>(1e-5 * static_cast<double>(c) * std::exp2(s));
          }
        }
        const cuda::SplitTask task{p.columns(), p.diagonal(), state.available.view(),
                                   state.fixed.view(), candidates.view()};
        const auto scores = p.means(members, candidates.rows(),
                                    [&](const auto& team, auto i, auto& scratch, auto sums) {
                                      cuda::score_splits_row(team, task, i, scratch, sums);
                                    });
        expect_close(scores, p.session->score_splits(p.panel, state, candidates.view()));
      }
    }
  });
}

// Thresholds that lie on entries, and entries that are equal.
TEST(ScoreKernel, ThresholdsOnEntriesCutBelowThem) {
  Problem p(3, 40, 9);
  for (std::size_t e = 0; e < p.w.size(); ++e) {
    p.w.values()[e] = 0.5F * static_cast<float>(e * 7 % 6);
  }
  for (float& x : p.u.values()) {
    x = 1;
  }
  p.session = make_reference_backend()->open_arb(p.w.view(), p.u.view());
  const SplitState state{Matrix<std::uint8_t>(3, 40, 1), Matrix<float>(3, 40)};
  Matrix<float> candidates(5, 2);
  candidates.values() = {0, 0, 0.25F, 1, 1, 1, 0.3F, 6.25F, 4, 9};
  const cuda::SplitTask task{p.columns(), p.diagonal(), state.available.view(), state.fixed.view(),
                             candidates.view()};
  const auto scores = p.means(32, 5, [&](const auto& team, auto i, auto& scratch, auto sums) {
    cuda::score_splits_row(team, task, i, scratch, sums);
  });
  expect_close(scores, p.session->score_splits(p.panel, state, candidates.view()));
}

TEST(ColumnSums, EveryRowCountsOnce) {
  for (const std::size_t rows : {1U, 2U, 63U, 64U, 65U, 4096U, 4097U}) {
    Matrix<double> values(rows, 3);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t c = 0; c < 3; ++c) {
        values(i, c) = static_cast<double>(i * 3 + c);
      }
    }
    const auto n = static_cast<double>(rows);
    EXPECT_EQ(column_sums(values),
              std::vector<double>(
                  {3 * n * (n - 1) / 2, 3 * n * (n - 1) / 2 + n, 3 * n * (n - 1) / 2 + 2 * n}));
  }
}

}  // namespace
}  // namespace btc
