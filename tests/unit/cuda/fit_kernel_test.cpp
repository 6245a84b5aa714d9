/// Sums have the reference's order: every result is equal to its last bit.
#include <gtest/gtest.h>

#include "backend/backend.hpp"
#include "backend/fit_groups.hpp"
#include "common/rng.hpp"
#include "cuda/arb/fit_panel.hpp"

namespace btc {
namespace {

template <typename T>
std::vector<T> tiled(const Matrix<T>& values) {
  std::vector<T> result(cuda::tiled_size(values.rows(), values.cols()));
  for (std::size_t at = 0; at < result.size(); ++at) {
    cuda::to_tiles(values.data(), values.rows(), values.cols(), at, result.data());
  }
  return result;
}

void pack(const Matrix<std::uint8_t>& planes, const std::uint32_t* columns, std::uint8_t plane,
          BitMatrix& bits) {
  for (std::size_t i = 0; i < bits.rows(); ++i) {
    for (std::size_t byte = 0; byte < bits.row_bytes(); ++byte) {
      bits.bytes()[i * bits.row_bytes() + byte] =
          cuda::packed_plane(planes.row(i).data(), columns, bits.cols(), plane, byte);
    }
  }
}

/// What the device does with a fit, slot after slot.
PanelFit fit(const Matrix<float>& x, const PanelGroups& groups, const FitParams& params) {
  const bool own_signs = keeps_own_signs(params.rule);
  PanelFit result = empty_fit(x.view(), groups, own_signs);
  const std::vector<float> values = tiled(x);
  const std::vector<std::uint8_t> group = tiled(groups.group);
  std::vector<float> entries(values.size());
  std::vector<std::uint8_t> planes(values.size(), 0xFF);
  std::vector<std::uint32_t> columns(values.size());
  Matrix<std::uint8_t> entry_planes(x.rows(), x.cols());
  cuda::FitTask task;
  task.rows = x.rows();
  task.width = x.cols();
  task.groups = groups.count;
  task.salient_groups = groups.salient.empty() ? 0 : groups.salient_count;
  task.rule = params.rule;
  task.solver = params.solver;
  task.iterations = params.iterations;
  task.gram = params.gram;
  task.x = values.data();
  task.group = group.data();
  task.entries = entries.data();
  task.planes = planes.data();
  task.columns = own_signs ? columns.data() : nullptr;
  task.alpha = result.scales.alpha.data();
  task.mu = result.scales.mu.data();
  task.salient_alpha = result.scales.salient_alpha.data();
  task.salient_mu = result.scales.salient_mu.data();
  task.entry_planes = own_signs ? entry_planes.data() : nullptr;
  for (std::size_t slot = task.slots(); slot-- > 0;) {
    for (std::size_t i = 0; i < task.rows; ++i) {
      cuda::fit_slot(task, i, slot);
    }
  }
  pack(entry_planes, nullptr, cuda::kFirstPlane, result.code.signs);
  pack(entry_planes, groups.salient.data(), cuda::kSecondPlane, result.code.residual);
  return result;
}

void expect_reference(const Matrix<float>& x, const PanelGroups& groups, const FitParams& params) {
  const Matrix<float> u(x.cols(), x.cols());
  const auto session = make_reference_backend()->open_arb(x.view(), u.view());
  const PanelFit expected = session->fit(x.view(), groups, params);
  const PanelFit got = fit(x, groups, params);
  EXPECT_EQ(got.scales.alpha, expected.scales.alpha);
  EXPECT_EQ(got.scales.mu, expected.scales.mu);
  EXPECT_EQ(got.scales.salient_alpha, expected.scales.salient_alpha);
  EXPECT_EQ(got.scales.salient_mu, expected.scales.salient_mu);
  EXPECT_EQ(got.code.signs, expected.code.signs);
  EXPECT_EQ(got.code.residual, expected.code.residual);
  EXPECT_EQ(got.code.group, expected.code.group);
  EXPECT_EQ(got.code.target, expected.code.target);
}

/// With values from a few levels where `levels` > 0, so that distances tie.
Matrix<float> random_matrix(std::size_t rows, std::size_t cols, std::uint64_t levels, Rng& rng) {
  Matrix<float> x(rows, cols);
  for (float& value : x.values()) {
    value = levels > 0 ? static_cast<float>(rng.below(levels)) * 0.1F - 0.2F
                       : static_cast<float>(0.02 * rng.normal());
  }
  return x;
}

PanelGroups random_groups(std::size_t rows, std::size_t cols, std::size_t count,
                          std::size_t salient, std::size_t salient_count, Rng& rng) {
  PanelGroups groups;
  groups.count = count;
  groups.salient_count = salient_count;
  groups.group = Matrix<std::uint8_t>(rows, cols);
  for (auto& g : groups.group.values()) {
    g = static_cast<std::uint8_t>(rng.below(count));
  }
  for (std::size_t s = 0; s < std::min(salient, cols); ++s) {
    const std::size_t j = s * cols / salient;
    groups.salient.push_back(static_cast<std::uint32_t>(j));
    for (std::size_t i = 0; i < rows; ++i) {
      groups.group(i, j) = salient_code(rng.below(salient_count));
    }
  }
  return groups;
}

std::vector<FitParams> every_rule(MatrixView<const float> gram) {
  return {{FitRule::kArb, 0},  {FitRule::kArb, 1},
          {FitRule::kArb, 15}, {FitRule::kArb, 15, FitSolver::kExact},
          {FitRule::kPlain},   {FitRule::kArbX, 15, FitSolver::kIterative, gram}};
}

TEST(FitKernel, EveryRuleEqualsTheReference) {
  Rng rng(1);
  for (const std::size_t rows : {1U, 3U, 32U, 33U, 70U}) {
    for (const std::size_t width : {1U, 5U, 31U, 33U, 40U, 128U, 130U}) {
      const Matrix<float> gram = random_matrix(width, width, 0, rng);
      const PanelGroups groups = random_groups(rows, width, 3, 5, 2, rng);
      for (const std::uint64_t levels : {0U, 1U, 5U}) {
        const Matrix<float> x = random_matrix(rows, width, levels, rng);
        for (const FitParams& params : every_rule(gram.view())) {
          SCOPED_TRACE(concat(rows, " x ", width, ", ", levels, " levels, rule ",
                              static_cast<int>(params.rule), ", ", params.iterations, " sweeps"));
          expect_reference(x, groups, params);
        }
      }
    }
  }
}

TEST(FitKernel, GroupsMayBeEmptyAndManyAndWithoutSalientColumns) {
  Rng rng(2);
  const Matrix<float> x = random_matrix(35, 12, 0, rng);
  const Matrix<float> gram = random_matrix(12, 12, 0, rng);
  const PanelGroups many = random_groups(35, 12, 8, 6, 4, rng);  // most are empty
  const PanelGroups salient = random_groups(35, 12, 1, 12, 1, rng);
  const PanelGroups none = random_groups(35, 12, 2, 0, 1, rng);
  for (const PanelGroups* groups : {&many, &salient, &none}) {
    for (const FitParams& params : every_rule(gram.view())) {
      expect_reference(x, *groups, params);
    }
  }
}

TEST(FitKernel, EntriesWithoutGroupAreLeftOut) {
  Rng rng(3);
  const Matrix<float> x = random_matrix(4, 20, 0, rng);
  PanelGroups groups = random_groups(4, 20, 2, 3, 1, rng);
  for (std::size_t i = 0; i < 4; ++i) {
    groups.group(i, 1) = 2;
    groups.group(i, 19) = 7;
  }
  expect_reference(x, groups, {FitRule::kArb, 15});
  expect_reference(x, groups, {FitRule::kPlain});
}

}  // namespace
}  // namespace btc
