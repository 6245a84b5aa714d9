/// Column sums have another order than the reference's; the fp32 scales differ in a last bit at
/// most.
#include <gtest/gtest.h>

#include "backend/fit_groups.hpp"
#include "common/rng.hpp"
#include "cuda/arb/row_column.hpp"
#include "support/host_team.hpp"
#include "support/random_groups.hpp"
#include "support/random_matrix.hpp"

namespace btc {
namespace {

using test::random_groups;
using test::random_matrix;

constexpr double kDeviation = 0.02;  // about that of trained weights

template <typename T>
std::vector<T> tiled(const Matrix<T>& values) {
  std::vector<T> result(cuda::tiled_size(values.rows(), values.cols()));
  for (std::size_t at = 0; at < result.size(); ++at) {
    cuda::to_tiles(values.data(), values.rows(), values.cols(), at, result.data());
  }
  return result;
}

/// What the device does with the groups of one kind, kernel after kernel.
template <std::size_t kPlanes>
class Sweeps {
 public:
  Sweeps(const Matrix<float>& x, const PanelGroups& groups, std::size_t slots, int members)
      : members_(members),
        x_(tiled(x)),
        group_(tiled(groups.group)),
        planes_(x_.size(), 0xFF),
        row_(slots * kPlanes * x.rows(), NAN),
        column_(slots * kPlanes * x.cols(), NAN),
        used_(slots * x.cols(), NAN),
        part_(slots * x.cols() * 3 * ceil_div(x.rows(), cuda::kTileRows), NAN),
        task_{x.rows(),       x.cols(),    slots,          x_.data(),    group_.data(),
              planes_.data(), row_.data(), column_.data(), used_.data(), part_.data()} {}

  void update(std::size_t plane, bool start) {
    for (std::size_t slot = 0; slot < task_.slots; ++slot) {
      for (std::size_t i = 0; i < task_.rows; ++i) {
        if (start) {
          cuda::start_row(task_, slot, plane, i);
        } else {
          cuda::update_row(task_, slot, plane, i);
        }
      }
    }
    test::run_team(members_, [&](const test::HostTeam& team) {
      for (std::size_t slot = 0; slot < task_.slots; ++slot) {
        for (std::size_t j = 0; j < task_.width; ++j) {
          for (std::size_t tile = 0; tile < task_.tiles(); ++tile) {
            cuda::sum_column_of_tile(team, task_, slot, plane, j, tile, start);
          }
        }
      }
    });
    test::run_team(members_, [&](const test::HostTeam& team) {
      for (std::size_t slot = 0; slot < task_.slots; ++slot) {
        for (std::size_t j = 0; j < task_.width; ++j) {
          cuda::finish_column(team, task_, slot, plane, j, start);
        }
      }
    });
  }

  void run(int iterations, std::vector<RowColumnFit>& parts) {
    for (std::size_t plane = 0; plane < kPlanes; ++plane) {
      update(plane, true);
    }
    for (int sweep = 0; sweep < iterations; ++sweep) {
      for (std::size_t plane = 0; plane < kPlanes; ++plane) {
        update(plane, false);
      }
      if constexpr (kPlanes == 2) {
        for (std::size_t at = 0; at < x_.size(); ++at) {
          cuda::choose_planes(task_, at);
        }
      }
    }
    for (std::size_t slot = 0; slot < task_.slots; ++slot) {
      RowColumnFit fit{
          Matrix<double>(task_.rows, kPlanes), Matrix<double>(kPlanes, task_.width), {}};
      std::vector<bool> used(task_.width);
      for (std::size_t plane = 0; plane < kPlanes; ++plane) {
        for (std::size_t i = 0; i < task_.rows; ++i) {
          fit.row(i, plane) = task_.row_scale(slot, plane, i);
        }
        for (std::size_t j = 0; j < task_.width; ++j) {
          fit.column(plane, j) = task_.column_scale(slot, plane, j);
          used[j] = task_.used[slot * task_.width + j] > 0;
        }
      }
      normalise_columns(fit, used);
      parts.push_back(fit);
    }
  }

 private:
  int members_;
  std::vector<float> x_;
  std::vector<std::uint8_t> group_;
  std::vector<std::uint8_t> planes_;
  std::vector<double> row_;
  std::vector<double> column_;
  std::vector<double> used_;
  std::vector<double> part_;
  cuda::RowColumnTask<kPlanes> task_;
};

void expect_close(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t e = 0; e < a.size(); ++e) {
    ASSERT_FLOAT_EQ(a[e], b[e]) << "element " << e;
  }
}

void expect_reference(const Matrix<float>& x, const PanelGroups& groups, int iterations,
                      int members) {
  std::vector<RowColumnFit> parts;
  Sweeps<1>(x, groups, groups.count, members).run(iterations, parts);
  if (!groups.salient.empty()) {
    Sweeps<2>(x, groups, groups.salient_count, members).run(iterations, parts);
  }
  const PanelScales got = row_column_panel(groups, parts).scales;
  const PanelScales expected = fit_row_column_panel(x.view(), groups, iterations).scales;
  expect_close(got.alpha.values(), expected.alpha.values());
  expect_close(got.alpha_col, expected.alpha_col);
  expect_close(got.salient_alpha.values(), expected.salient_alpha.values());
  expect_close(got.salient_alpha_col, expected.salient_alpha_col);
}

TEST(RowColumnKernel, EqualsTheReference) {
  Rng rng(1);
  for (const std::size_t rows : {3U, 33U}) {
    for (const std::size_t width : {1U, 31U}) {
      const Matrix<float> x = random_matrix(rows, width, rng, kDeviation);
      for (const int members : {1, 32}) {
        SCOPED_TRACE(concat(rows, " x ", width, ", ", members, " members"));
        std::vector<std::uint32_t> salient = {0};
        if (width > 20) {
          salient = {0, 7, 20};
        }
        expect_reference(x, random_groups(rows, width, 3, salient, rng, 2), 1, members);
        expect_reference(x, random_groups(rows, width, 1, {}, rng), 0, members);
      }
    }
  }
  const Matrix<float> x = random_matrix(130, 128, rng, kDeviation);
  expect_reference(x, random_groups(130, 128, 2, {3, 64, 127}, rng), 15, 1);
}

// Beside their squares what keeps the denominators from zero counts.
TEST(RowColumnKernel, SmallScalesEqualTheReference) {
  Rng rng(3);
  Matrix<float> x = random_matrix(20, 10, rng, kDeviation);
  for (float& value : x.values()) {
    value *= 0.01F;
  }
  expect_reference(x, random_groups(20, 10, 2, {4, 9}, rng), 3, 1);
}

TEST(RowColumnKernel, RowsOfZerosHaveNoPartInTheStart) {
  Rng rng(2);
  Matrix<float> x = random_matrix(40, 12, rng, kDeviation);
  for (std::size_t j = 0; j < 12; ++j) {
    x(3, j) = 0;
    x(35, j) = 0;
  }
  expect_reference(x, random_groups(40, 12, 2, {4, 9}, rng), 0, 32);
  expect_reference(x, random_groups(40, 12, 2, {4, 9}, rng), 3, 32);
}

}  // namespace
}  // namespace btc
