/// The alternating fit of a panel on the host: in first order the reference's scales but for the
/// order of sums, in second order their bits.
#include "cuda/arb/fit_sums.hpp"

#include "cuda/arb/fit_salient.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "backend/backend.hpp"
#include "backend/fit_groups.hpp"
#include "common/rng.hpp"
#include "support/host_team.hpp"
#include "support/random_matrix.hpp"

namespace btc {
namespace {

using test::random_matrix;

constexpr double kDeviation = 0.02;  // about that of trained weights

/// What the device does with a fit, group after group; a row too many stands for a warp's last
/// team.
PanelScales fit(int team_size, const Matrix<float>& x, const PanelGroups& groups, int iterations) {
  PanelScales result = empty_fit(x.view(), groups, false).scales;
  cuda::AlternatingTask task;
  task.rows = x.rows();
  task.width = x.cols();
  task.groups = groups.count;
  task.salient_groups = groups.salient.empty() ? 0 : groups.salient_count;
  task.salient_columns = groups.salient.size();
  task.salient = groups.salient.data();
  task.iterations = iterations;
  task.x = x.data();
  task.group = groups.group.data();
  task.alpha = result.alpha.data();
  task.mu = result.mu.data();
  task.salient_alpha = result.salient_alpha.data();
  task.salient_mu = result.salient_mu.data();
  const auto stride = static_cast<std::size_t>(team_size);
  std::vector<float> memory(stride * cuda::entries_per_member(x.cols(), stride), NAN);
  test::run_team(team_size, [&](const test::HostTeam& team) {
    for (std::size_t g = task.groups; g-- > 0;) {
      for (std::size_t i = 0; i <= task.rows; ++i) {
        cuda::fit_group_by_sums(team, task, i, g, memory.data() + team.rank(), team_size);
      }
    }
  });
  std::vector<float> entries(cuda::kTileRows * task.salient_columns, NAN);
  std::vector<std::uint8_t> planes(entries.size(), 3);
  for (std::size_t s = task.salient_groups; s-- > 0;) {
    for (std::size_t i = 0; i < task.rows; ++i) {
      const std::size_t lane = i % cuda::kTileRows;
      cuda::fit_salient(task, i, s, entries.data() + lane, planes.data() + lane);
    }
  }
  return result;
}

PanelScales reference_fit(const Matrix<float>& x, const PanelGroups& groups, int iterations) {
  const Matrix<float> u(x.cols(), x.cols());
  const auto session = make_reference_backend()->open_arb(x.view(), u.view());
  return session->fit(x.view(), groups, {FitRule::kArb, iterations}).scales;
}

/// |got - expected| <= tolerance * max |expected|.
void expect_close(const std::vector<float>& got, const std::vector<float>& expected,
                  double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  float largest = 0;
  for (const float value : expected) {
    largest = std::max(largest, std::fabs(value));
  }
  for (std::size_t e = 0; e < got.size(); ++e) {
    ASSERT_NEAR(got[e], expected[e], tolerance * static_cast<double>(largest)) << "element " << e;
  }
}

std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits;
  for (const float value : values) {
    bits.push_back(std::bit_cast<std::uint32_t>(value));
  }
  return bits;
}

/// fp32 results of double sums in another order: a last bit may round the other way.
void expect_reference(const Matrix<float>& x, const PanelGroups& groups, int iterations) {
  const PanelScales expected = reference_fit(x, groups, iterations);
  for (const int team_size : {1, 8}) {
    SCOPED_TRACE(
        concat(x.rows(), " x ", x.cols(), ", ", iterations, " sweeps, team of ", team_size));
    const PanelScales got = fit(team_size, x, groups, iterations);
    expect_close(got.alpha.values(), expected.alpha.values(), 1e-6);
    expect_close(got.mu.values(), expected.mu.values(), 1e-6);
    EXPECT_EQ(bits_of(got.salient_alpha.values()), bits_of(expected.salient_alpha.values()));
    EXPECT_EQ(bits_of(got.salient_mu), bits_of(expected.salient_mu));
  }
}

PanelGroups random_groups(const Matrix<float>& x, std::size_t count, std::size_t salient,
                          std::size_t salient_count, Rng& rng) {
  PanelGroups groups;
  groups.count = count;
  groups.salient_count = salient_count;
  groups.group = Matrix<std::uint8_t>(x.rows(), x.cols());
  for (auto& g : groups.group.values()) {
    g = static_cast<std::uint8_t>(rng.below(count));
  }
  salient = std::min(salient, x.cols());
  for (std::size_t s = 0; s < salient; ++s) {
    const std::size_t j = s * x.cols() / salient;
    groups.salient.push_back(static_cast<std::uint32_t>(j));
    for (std::size_t i = 0; i < x.rows(); ++i) {
      groups.group(i, j) = salient_code(rng.below(salient_count));
    }
  }
  return groups;
}

TEST(FitSumsKernel, EqualsTheReference) {
  Rng rng(1);
  for (const std::size_t width : {1U, 2U, 5U, 31U, 33U, 40U, 128U, 130U}) {
    const Matrix<float> x = random_matrix(3, width, rng, kDeviation);
    for (const int iterations : {0, 1, 15}) {
      expect_reference(x, random_groups(x, 3, 5, 2, rng), iterations);
      expect_reference(x, random_groups(x, 1, 0, 1, rng), iterations);
      expect_reference(x, random_groups(x, 8, 40, 4, rng), iterations);  // many are empty
    }
  }
}

TEST(FitSumsKernel, EntriesWithoutGroupAreLeftOut) {
  Rng rng(2);
  const Matrix<float> x = random_matrix(4, 20, rng, kDeviation);
  PanelGroups groups = random_groups(x, 2, 3, 1, rng);
  for (std::size_t i = 0; i < 4; ++i) {
    groups.group(i, 1) = 2;
    groups.group(i, 19) = 7;
  }
  expect_reference(x, groups, 15);
}

// mu = 2 is an entry, which counts as above it, and so are both ends of the next mu's gap.
TEST(FitSumsKernel, AnEntryAtTheMeanIsAbove) {
  Matrix<float> x(2, 4);
  x.values() = {0, 2, 2, 4, -4, -2, -2, 0};
  PanelGroups groups;
  groups.group = Matrix<std::uint8_t>(2, 4);
  for (const int iterations : {0, 1, 2, 3, 15}) {
    expect_reference(x, groups, iterations);
  }
  const PanelScales start = fit(2, x, groups, 0);
  EXPECT_EQ(start.mu(0, 0), 2.0F);
  EXPECT_EQ(start.alpha(0, 0), 1.0F);
}

TEST(FitSumsKernel, EqualEntriesHaveNoScale) {
  for (const float value : {0.0F, -0.0F, 0.1F, -3.0F}) {
    const Matrix<float> x(1, 130, value);
    PanelGroups groups;
    groups.group = Matrix<std::uint8_t>(1, 130);
    expect_reference(x, groups, 15);
    const PanelScales scales = fit(8, x, groups, 15);
    EXPECT_EQ(scales.mu(0, 0), value);
    EXPECT_NEAR(scales.alpha(0, 0), 0.0F, 1e-15F);
  }
}

// Far from zero the rounding of mu must not look like a new cut for ever.
TEST(FitSumsKernel, LargeAndSmallValuesKeepTheTolerance) {
  Rng rng(3);
  for (const float shift : {1e-3F, 1.0F, -100.0F}) {
    Matrix<float> x = random_matrix(2, 128, rng, kDeviation);
    for (float& value : x.values()) {
      value += shift;
    }
    expect_reference(x, random_groups(x, 2, 6, 1, rng), 15);
  }
}

TEST(FitSalientKernel, BitsEqualTheReferenceWithFewEntries) {
  Rng rng(4);
  for (std::size_t salient = 1; salient <= 12; ++salient) {
    const Matrix<float> x = random_matrix(40, 33, rng, kDeviation);
    for (const int iterations : {0, 1, 15}) {
      expect_reference(x, random_groups(x, 2, salient, 1, rng), iterations);
    }
    expect_reference(x, random_groups(x, 2, salient, 3, rng), 15);
  }
}

// Equal entries, means that are entries, equal distances; in steps of 0.1 rests of rounding alone,
// whose signs other sums or another order would turn.
TEST(FitSalientKernel, BitsEqualTheReferenceOnTies) {
  Rng rng(5);
  for (std::size_t salient = 1; salient <= 12; ++salient) {
    for (const float unit : {1.0F, 0.1F, 0.0F, -0.0F}) {
      Matrix<float> x(40, 24);
      for (float& value : x.values()) {
        value = unit * (static_cast<float>(rng.below(5)) - 2.0F);
      }
      for (const int iterations : {0, 1, 2, 15}) {
        expect_reference(x, random_groups(x, 1, salient, 1, rng), iterations);
      }
    }
  }
}

}  // namespace
}  // namespace btc
