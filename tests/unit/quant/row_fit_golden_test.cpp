/// The published binarizers alone, on given weights and masks.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>

#include "backend/row_column_fit.hpp"
#include "backend/row_fit.hpp"
#include "io/safetensors.hpp"

namespace btc {
namespace {

const std::filesystem::path kFolder = BTC_SOURCE_DIR "/../shared/data/arb-golden";

struct UnitCase {
  std::string file;
  std::string rule;
  int order;
  std::string mask;
};

class RowFitGolden : public ::testing::TestWithParam<UnitCase> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kFolder)) {
      GTEST_SKIP() << "no golden vectors in " << kFolder;
    }
    const auto file = SafetensorsFile::open(kFolder / (GetParam().file + ".safetensors"));
    const auto read = [&](const std::string& name) {
      const TensorView& tensor = file.at(name);
      Matrix<float> result(static_cast<std::size_t>(tensor.shape.at(0)),
                           static_cast<std::size_t>(tensor.shape.at(1)));
      result.values() = to_float(tensor);
      return result;
    };
    w_ = read("W");
    s_ = read("S");
    const std::string order = ".order" + std::to_string(GetParam().order) + ".";
    expected_ = read("out." + GetParam().rule + order + GetParam().mask);
    const TensorView& mask = file.at("mask." + GetParam().mask);
    for (const std::byte inside : mask.bytes) {
      mask_.push_back(std::to_integer<int>(inside) != 0);
    }
  }

  [[nodiscard]] RowFit fit(std::span<const float> x, std::span<const std::uint32_t> columns) const {
    constexpr int kSweeps = 15;
    const int planes = GetParam().order;
    if (GetParam().rule == "plain") {
      return fit_plain(x, planes);
    }
    return GetParam().rule == "arb" ? fit_alternating(x, planes, kSweeps)
                                    : fit_in_metric(x, columns, s_.view(), planes, kSweeps);
  }

  Matrix<float> w_;
  Matrix<float> s_;
  Matrix<float> expected_;
  std::vector<bool> mask_;
};

TEST_P(RowFitGolden, EveryRowMatches) {
  for (std::size_t i = 0; i < w_.rows(); ++i) {
    std::vector<float> x;
    std::vector<std::uint32_t> columns;
    double largest = 0;
    for (std::size_t j = 0; j < w_.cols(); ++j) {
      if (mask_[i * w_.cols() + j]) {
        x.push_back(w_(i, j));
        columns.push_back(static_cast<std::uint32_t>(j));
        largest = std::max(largest, std::fabs(static_cast<double>(w_(i, j))));
      }
    }
    const RowFit row = fit(x, columns);
    for (std::size_t e = 0; e < x.size(); ++e) {
      const double second = row.residual.empty() ? 0.0 : row.residual_alpha * row.residual[e];
      const double q = row.mu + row.alpha * row.sign[e] + second;
      ASSERT_NEAR(q, expected_(i, columns[e]), 1e-5 * largest) << "row " << i << " entry " << e;
    }
  }
}

class RowColumnFitGolden : public RowFitGolden {};

TEST_P(RowColumnFitGolden, EveryEntryMatches) {
  Matrix<std::uint8_t> mask(w_.rows(), w_.cols());
  for (std::size_t e = 0; e < mask.size(); ++e) {
    mask.values()[e] = mask_[e] ? 1 : 0;
  }
  const RowColumnFit fit = fit_row_column(w_.view(), mask, GetParam().order, 15);
  for (std::size_t i = 0; i < w_.rows(); ++i) {
    double largest = 0;
    for (std::size_t j = 0; j < w_.cols(); ++j) {
      largest = std::max(largest, mask(i, j) * std::fabs(static_cast<double>(w_(i, j))));
    }
    for (std::size_t j = 0; j < w_.cols(); ++j) {
      double q = 0;
      for (std::size_t plane = 0; plane < fit.sign.size() && mask(i, j) != 0; ++plane) {
        q += fit.row(i, plane) * fit.column(plane, j) * fit.sign[plane](i, j);
      }
      ASSERT_NEAR(q, expected_(i, j), 1e-5 * largest) << "entry " << i << ", " << j;
    }
  }
}

std::vector<UnitCase> unit_cases(const std::vector<std::string>& rules) {
  std::vector<UnitCase> cases;
  for (const char* file : {"unit.1", "unit.2"}) {
    for (const std::string& rule : rules) {
      for (const int order : {1, 2}) {
        for (const char* mask : {"columns", "scattered", "full"}) {
          cases.push_back({file, rule, order, mask});
        }
      }
    }
  }
  return cases;
}

std::string unit_case_name(const ::testing::TestParamInfo<UnitCase>& param_info) {
  const UnitCase& c = param_info.param;
  std::string name = c.file + "_" + c.rule + std::to_string(c.order) + "_" + c.mask;
  for (char& letter : name) {
    letter = letter == '.' || letter == '-' ? '_' : letter;
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Units, RowFitGolden,
                         ::testing::ValuesIn(unit_cases({"plain", "arb", "arb-x"})),
                         unit_case_name);
INSTANTIATE_TEST_SUITE_P(Units, RowColumnFitGolden, ::testing::ValuesIn(unit_cases({"arb-rc"})),
                         unit_case_name);

// The best of all cuts, so never worse than the sweeps.
TEST(TwoLevels, AreNeverWorseThanTheSweeps) {
  const std::vector<float> x = {0.1F, 0.2F, 0.15F, 3.0F, -0.1F, 0.05F, 2.9F, 0.12F};
  const auto error = [&](const RowFit& fit) {
    double sum = 0;
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double left = static_cast<double>(x[j]) - (fit.mu + fit.alpha * fit.sign[j]);
      sum += left * left;
    }
    return sum;
  };
  const RowFit best = fit_two_levels(x);
  EXPECT_NEAR(best.mu + best.alpha, 2.95, 1e-6);
  EXPECT_NEAR(best.mu - best.alpha, (0.1 + 0.2 + 0.15 - 0.1 + 0.05 + 0.12) / 6, 1e-6);
  EXPECT_LE(error(best), error(fit_alternating(x, 1, 15)) + 1e-12);
  EXPECT_LT(error(best), error(fit_plain(x, 1)));
}

TEST(TwoLevels, OneValueNeedsNoScale) {
  const std::vector<float> x = {2.0F, 2.0F};
  EXPECT_EQ(fit_two_levels(x).mu, 2.0);
  EXPECT_EQ(fit_two_levels(x).alpha, 0.0);
  EXPECT_EQ(fit_two_levels({}).mu, 0.0);
}

}  // namespace
}  // namespace btc
