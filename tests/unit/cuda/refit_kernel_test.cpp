/// The refit kernel's text with teams of host threads against the reference: the sums have the same
/// order, so the scales are equal.
#include "cuda/arb/refit.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "panel_case.hpp"
#include "support/host_team.hpp"

namespace btc::cuda {
namespace {

using test::ColumnScales;
using test::PanelCase;
using test::PanelCaseParams;

PanelScales refit_by_teams(int team_size, const PanelCase& c, const PanelCode& code) {
  const std::vector<std::uint32_t> rank = test::ranks(c);
  RefitProblem p;
  p.w = c.w.view().columns(c.panel.begin, c.panel.end);
  p.u = c.u.view().sub(c.panel.begin, c.panel.end, c.panel.begin, c.panel.end);
  p.rank = rank;
  p.scales = c.scales.view();
  p.signs = {code.signs.bytes().data(), code.signs.row_bytes()};
  p.residual = {code.residual.bytes().data(), code.residual.row_bytes()};
  p.group = code.group.view();
  p.groups = c.groups.count;
  p.unknowns = RefitBasis{c.groups, c.scales, code}.unknowns();
  // Two rows share the memory one after the other, as on the device.
  std::vector<double> memory(RefitMemory{p.unknowns, p.u.cols()}.size(),
                             std::numeric_limits<double>::quiet_NaN());
  Matrix<double> steps(c.w.rows(), p.unknowns);
  test::run_team(team_size, [&](const test::HostTeam& team) {
    for (std::size_t i = 0; i < steps.rows(); ++i) {
      refit_row(team, p, i, memory.data(), steps.view().row(i).data());
    }
  });
  PanelScales result = c.scales;
  for (std::size_t i = 0; i < steps.rows(); ++i) {
    add_refit_step(i, steps.row(i), result);
  }
  return result;
}

class RefitKernelTest : public ::testing::TestWithParam<PanelCaseParams> {};

TEST_P(RefitKernelTest, EqualsTheReference) {
  const PanelCase c(GetParam());
  const auto session = make_reference_backend()->open_arb(c.w.view(), c.u.view());
  for (const Compensation kind : {Compensation::kNone, Compensation::kSequential}) {
    EncodeRule rule;
    rule.chunk = 8;
    rule.compensation = kind;
    const PanelCode code = session->encode(c.panel, c.groups, c.scales, rule);
    const PanelScales expected = session->refit(c.panel, c.groups, c.scales, code);
    for (const int team_size : {1, 32, 64}) {
      SCOPED_TRACE(concat("team of ", team_size));
      const PanelScales scales = refit_by_teams(team_size, c, code);
      EXPECT_EQ(scales.alpha, expected.alpha);
      EXPECT_EQ(scales.mu, expected.mu);
      EXPECT_EQ(scales.salient_alpha, expected.salient_alpha);
      EXPECT_EQ(scales.salient_mu, expected.salient_mu);
    }
  }
}

const std::vector<PanelCaseParams>& cases() {
  static const std::vector<PanelCaseParams> all = {
      {.rows = 1, .width = 1, .groups = 1},
      {.rows = 3, .width = 5, .groups = 8, .salient = {4}},
      {.rows = 3, .width = 31, .salient = {0, 1, 7, 30}, .salient_groups = 4},
      {.rows = 2, .width = 33, .groups = 2, .salient = {32}, .columns = ColumnScales::kShared},
      {.rows = 3,
       .width = 40,
       .groups = 2,
       .salient = {2, 9, 10, 11},
       .salient_groups = 2,
       .means = false,
       .columns = ColumnScales::kPerGroup},
      {.rows = 2, .width = 130, .salient = {5, 77}},
      {.rows = 2, .width = 128, .groups = 8, .salient = {5, 77, 90, 91}, .salient_groups = 4},
      {.rows = 3, .width = 8, .salient = {0, 1, 2, 3, 4, 5, 6, 7}, .salient_groups = 2},
      {.rows = 4, .width = 32, .salient = {3}, .coarse = true},
      {.rows = 3, .width = 24, .groups = 2, .fixed_group = true}};
  return all;
}

INSTANTIATE_TEST_SUITE_P(Panels, RefitKernelTest, ::testing::ValuesIn(cases()),
                         [](const auto& test_case) {
                           return concat("rows", test_case.param.rows, "width",
                                         test_case.param.width);
                         });

}  // namespace
}  // namespace btc::cuda
