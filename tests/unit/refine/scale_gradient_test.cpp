#include "refine/scale_gradient.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "unit/pack/random_linear.hpp"

namespace btc {
namespace {

using test::random_linear;

struct Layout {
  const char* name;
  PackedFormat format;
  std::vector<std::uint32_t> salient;
};

void PrintTo(const Layout& layout, std::ostream* out) {  // NOLINT(readability-identifier-naming)
  *out << layout.name;
}

std::vector<Layout> layouts() {
  return {
      {"panels_with_means_and_salient_columns",
       {.panel = 8, .groups = 3, .mean = true, .column_scale = false},
       {1, 9, 18}},
      {"salient_groups",
       {.panel = 8, .groups = 2, .mean = true, .column_scale = false, .salient_groups = 2},
       {1, 2, 3, 9, 18}},
      {"column_scales_of_each_group",
       {.panel = 8,
        .groups = 2,
        .mean = false,
        .column_scale = true,
        .salient_groups = 2,
        .group_column_scale = true},
       {1, 2, 9, 18}},
      {"whole_rows_with_sparse_groups",
       {.panel = 0, .groups = 2, .mean = false, .column_scale = true, .salient = false},
       {}},
      {"ratios_of_groups",
       {.panel = 0, .groups = 3, .mean = false, .column_scale = true, .group_ratio = true},
       {0, 7}},
      {"whole_rows_with_salient_columns",
       {.panel = 0, .groups = 2, .mean = false, .column_scale = true},
       {0, 7}},
      {"uniform_levels", {.panel = 8, .mean = false, .salient = false, .level_bits = 3}, {}},
      {"given_scales",
       {.panel = 0, .mean = false, .column_scale = true, .salient = false, .column_mean = true},
       {}},
      {"one_group", {.panel = 16, .groups = 1, .mean = true, .salient = false}, {}},
  };
}

class ScaleGradient : public ::testing::TestWithParam<Layout> {
 protected:
  ScaleGradient() {
    Rng rng(5);
    linear_ = random_linear({6, 19, GetParam().salient}, GetParam().format, {}, rng);
    direction_ = Matrix<float>(6, 19);
    for (float& value : direction_.values()) {
      value = static_cast<float>(rng.normal());
    }
  }
  [[nodiscard]] double loss() const {
    const Matrix<float> dense = dequantize(linear_);
    double sum = 0;
    for (std::size_t e = 0; e < dense.size(); ++e) {
      sum += static_cast<double>(dense.values()[e]) * static_cast<double>(direction_.values()[e]);
    }
    return sum;
  }

  QuantizedLinear linear_;
  Matrix<float> direction_;
};

// Decoding is linear in each single scale, so a central difference is exact but for rounding.
TEST_P(ScaleGradient, IsTheSlopeOfEveryScale) {
  const std::vector<float> gradient = scale_gradient(linear_, direction_.view());
  const ScaleFields fields = scale_fields(linear_);
  ASSERT_EQ(gradient.size(), fields.size());
  std::size_t k = 0;
  for (const auto& field : {fields.alpha, fields.mu, fields.salient_alpha, fields.salient_mu,
                            fields.alpha_col, fields.salient_alpha_col, fields.group_ratio}) {
    for (float& value : field) {
      const float start = value;
      value = start + 0.5F;
      const double plus = loss();
      value = start - 0.5F;
      const double minus = loss();
      value = start;
      EXPECT_NEAR(gradient[k], plus - minus, 1e-4) << "value " << k;
      ++k;
    }
  }
}

TEST_P(ScaleGradient, HasAUnitForEveryScale) {
  const std::vector<float> units = scale_units(linear_);
  ASSERT_EQ(units.size(), scale_fields(linear_).size());
  EXPECT_EQ(units[1], std::fabs(linear_.alpha.values()[1]));
  if (!linear_.mu.empty()) {
    EXPECT_EQ(units[linear_.alpha.size() + 1], units[1]);
  }
  if (!linear_.alpha_col.empty()) {
    const std::size_t columns = units.size() - linear_.alpha_col.size() -
                                linear_.salient_alpha_col.size() - linear_.group_ratio.size();
    EXPECT_EQ(units[columns + 3], std::fabs(linear_.alpha_col[3]));
    for (const std::uint32_t j : linear_.salient_columns) {
      EXPECT_EQ(units[columns + j], 0);
    }
  }
  if (!linear_.group_ratio.empty()) {
    const std::size_t ratios = units.size() - linear_.groups;
    EXPECT_EQ(units[ratios], 0);  // the first is 1 and stays
    EXPECT_EQ(units[ratios + 1], std::fabs(linear_.group_ratio[1]));
  }
}

TEST_P(ScaleGradient, RefusesAnotherShape) {
  EXPECT_THROW(scale_gradient(linear_, direction_.view().columns(0, 18)), Error);
}

INSTANTIATE_TEST_SUITE_P(Layouts, ScaleGradient, ::testing::ValuesIn(layouts()),
                         [](const auto& given) { return given.param.name; });

}  // namespace
}  // namespace btc
