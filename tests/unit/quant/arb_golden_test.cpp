/// The published ARB-LLM code on synthetic Linears, panel by panel from its own inputs
/// (teacher-forced) and as a whole. Data: ../shared/data/arb-golden, with its README's tolerances.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "io/safetensors.hpp"
#include "quant/quantiles.hpp"
#include "quant/quantize_linear.hpp"
#include "quant/saliency.hpp"
#include "quant/split_points.hpp"

namespace btc {
namespace {

const std::filesystem::path kFolder = BTC_SOURCE_DIR "/../shared/data/arb-golden";

Matrix<float> read_matrix(const SafetensorsFile& file, const std::string& name) {
  const TensorView& tensor = file.at(name);
  Matrix<float> result(static_cast<std::size_t>(tensor.shape.at(0)),
                       static_cast<std::size_t>(tensor.shape.at(1)));
  result.values() = to_float(tensor);
  return result;
}

std::vector<std::int32_t> read_ints(const SafetensorsFile& file, const std::string& name) {
  const TensorView& tensor = file.at(name);
  std::vector<std::int32_t> result(tensor.element_count());
  std::memcpy(result.data(), tensor.bytes.data(), tensor.bytes.size());
  return result;
}

double norm(const Matrix<float>& a) {
  double sum = 0;
  for (const float x : a.values()) {
    sum += static_cast<double>(x) * static_cast<double>(x);
  }
  return std::sqrt(sum);
}

Matrix<float> difference(const Matrix<float>& a, const Matrix<float>& b) {
  Matrix<float> d = a;
  for (std::size_t e = 0; e < a.size(); ++e) {
    d.values()[e] -= b.values()[e];
  }
  return d;
}

Matrix<float> columns(const Matrix<float>& a, Panel panel) {
  Matrix<float> result(a.rows(), panel.width());
  for (std::size_t i = 0; i < a.rows(); ++i) {
    std::copy_n(a.row(i).begin() + static_cast<std::ptrdiff_t>(panel.begin), panel.width(),
                result.row(i).begin());
  }
  return result;
}

/// Group of an entry by our numbering from the masks [G, n, k] of the file: salient ones, then the
/// others, each from the highest magnitudes down.
Matrix<std::uint8_t> read_groups(const SafetensorsFile& file, const std::string& name,
                                 std::size_t salient_groups) {
  const TensorView& masks = file.at(name);
  const auto count = static_cast<std::size_t>(masks.shape.at(0));
  Matrix<std::uint8_t> groups(static_cast<std::size_t>(masks.shape.at(1)),
                              static_cast<std::size_t>(masks.shape.at(2)));
  for (std::size_t g = 0; g < count; ++g) {
    for (std::size_t e = 0; e < groups.size(); ++e) {
      if (std::to_integer<int>(masks.bytes[g * groups.size() + e]) != 0) {
        groups.values()[e] = g < salient_groups ? salient_code(salient_groups - 1 - g)
                                                : static_cast<std::uint8_t>(count - 1 - g);
      }
    }
  }
  return groups;
}

struct GoldenCase {
  std::string name;
  std::string run;
  FitRule method;
  int splits;
  bool salient_groups = false;
};

/// Panel by panel from the session's weights on, all decisions ours, scales unrounded.
struct PanelOutcome {
  std::vector<std::uint32_t> salient;
  PanelGroups groups;
  Matrix<float> q;
};

class ArbGolden : public ::testing::TestWithParam<GoldenCase> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kFolder)) {
      GTEST_SKIP() << "no golden vectors in " << kFolder;
    }
    const std::string stem = GetParam().name;
    inputs_ = SafetensorsFile::open(kFolder / (stem + ".case.safetensors"));
    run_ = SafetensorsFile::open(kFolder / (stem + "." + GetParam().run + ".safetensors"));
    params_.method = GetParam().method;
    params_.split_points = GetParam().splits;
    params_.salient_groups = GetParam().salient_groups;
    params_.split_rule = SplitRule::kSearch;
    params_.compensation = Compensation::kBlock;
  }
  /// The first panel of W1 alone decides, or the session's own weights.
  [[nodiscard]] PanelOutcome binarize(ArbSession& session, const Matrix<float>& w1, Panel panel,
                                      MatrixView<const float> u, const Matrix<float>& gram) const {
    PanelOutcome outcome;
    const MatrixView<const float> s =
        gram.empty() ? MatrixView<const float>()
                     : gram.view().sub(panel.begin, panel.end, 0, panel.width());
    const Matrix<float> metric = saliency_metric(w1.view(), panel, u);
    outcome.salient = find_salient_columns(session, panel, metric, params_);
    outcome.groups = ungrouped(w1.rows(), w1.cols(), outcome.salient);
    split_by_metric(session, panel, metric, params_, outcome.groups, s);
    const PanelFit fit =
        session.fit(w1.view(), outcome.groups, {params_.method, 15, FitSolver::kIterative, s});
    outcome.q =
        dequantize_panel(fit.scales, outcome.groups, fitted_code(w1.view(), outcome.groups, fit));
    return outcome;
  }
  [[nodiscard]] HessianFactor factor() const {
    Matrix<float> h = read_matrix(*inputs_, "H");
    return factor_inputs(h, params_, std::nullopt, *backend_);
  }

  BinarizeParams params_;
  std::optional<SafetensorsFile> inputs_;
  std::optional<SafetensorsFile> run_;
  std::unique_ptr<Backend> backend_ = make_reference_backend();
};

TEST_P(ArbGolden, QuantileLevelsAreBitEqual) {
  const auto levels = quantile_levels();
  EXPECT_THAT(to_float(inputs_->at("q")), ::testing::ElementsAreArray(levels));
}

TEST_P(ArbGolden, EveryPanelMatchesFromItsOwnWeights) {
  const Matrix<float> u = read_matrix(*inputs_, "U");
  const auto n_salient = read_ints(*run_, "n_salient");
  const Matrix<float> gram = factor().gram;
  for (std::size_t b = 0; b < n_salient.size(); ++b) {
    SCOPED_TRACE("block " + std::to_string(b));
    const std::string prefix = "block" + std::to_string(b) + ".";
    const Matrix<float> w1 = read_matrix(*run_, prefix + "W1");
    const Panel panel{b * 128, b * 128 + w1.cols()};
    Matrix<float> w(w1.rows(), u.cols());
    for (std::size_t i = 0; i < w.rows(); ++i) {
      std::copy_n(w1.row(i).begin(), w1.cols(), w.row(i).begin() + static_cast<long>(panel.begin));
    }
    const auto session = backend_->open_arb(w.view(), u.view());
    const PanelOutcome got = binarize(*session, w1, panel, u.view(), gram);
    EXPECT_THAT(got.salient,
                ::testing::ElementsAreArray(read_ints(*run_, prefix + "salient_columns")));
    EXPECT_EQ(got.groups.group, read_groups(*run_, prefix + "masks", got.groups.salient_count));
    const Matrix<float> expected = columns(read_matrix(*run_, "Q"), panel);
    EXPECT_LT(norm(difference(got.q, expected)), 1e-5 * norm(expected));
  }
}

TEST_P(ArbGolden, NextPanelsWeightsMatch) {
  const Matrix<float> u = read_matrix(*inputs_, "U");
  Matrix<float> w = read_matrix(*inputs_, "weight");
  for (std::size_t j = 0; j < w.cols(); ++j) {
    const bool dead = read_matrix(*inputs_, "H")(j, j) == 0;
    for (std::size_t i = 0; i < w.rows() && dead; ++i) {
      w(i, j) = 0;
    }
  }
  const Matrix<float> q = read_matrix(*run_, "Q");
  const auto session = backend_->open_arb(w.view(), u.view());
  for (std::size_t begin = 0; begin < w.cols(); begin += 128) {
    const Panel panel{begin, std::min(begin + 128, w.cols())};
    const Matrix<float> w1 = read_matrix(*run_, "block" + std::to_string(begin / 128) + ".W1");
    EXPECT_LT(norm(difference(session->weights(panel), w1)), 1e-5 * norm(w1));
    session->compensate(panel, q.view().columns(panel.begin, panel.end), Compensation::kBlock);
  }
}

// From H on, nothing taken from the golden run. One flipped mask entry would change everything
// behind it, so no flip may occur: all of Q within the tolerance for equal masks.
TEST_P(ArbGolden, WholeLinearMatchesWithUnroundedScales) {
  Matrix<float> w = read_matrix(*inputs_, "weight");
  const HessianFactor factor = this->factor();
  for (std::size_t i = 0; i < w.rows(); ++i) {
    for (const std::uint32_t j : factor.dead_columns) {
      w(i, j) = 0;
    }
  }
  const Matrix<float> expected = read_matrix(*run_, "Q");
  const auto session = backend_->open_arb(w.view(), factor.u.view());
  for (std::size_t begin = 0; begin < w.cols(); begin += 128) {
    const Panel panel{begin, std::min(begin + 128, w.cols())};
    const Matrix<float> w1 = session->weights(panel);
    const Matrix<float> q = binarize(*session, w1, panel, factor.u.view(), factor.gram).q;
    const Matrix<float> part = columns(expected, panel);
    EXPECT_LT(norm(difference(q, part)), 2e-5 * norm(part)) << "panel at column " << begin;
    session->compensate(panel, q.view(), Compensation::kBlock);
  }
}

// With the inputs alone. Scales that are rounded after the last panel leave every decision as it
// is.
TEST_P(ArbGolden, WholeLinearFromItsInputs) {
  params_.rounding = ScaleRounding::kEnd;
  const TensorView& x = inputs_->at("inputs");
  const auto sequences = static_cast<std::size_t>(x.shape.at(0));
  Matrix<float> inputs(x.element_count() / static_cast<std::size_t>(x.shape.at(2)),
                       static_cast<std::size_t>(x.shape.at(2)));
  inputs.values() = to_float(x);
  Matrix<float> h = input_hessian(inputs.view(), sequences);
  const Matrix<float> golden_h = read_matrix(*inputs_, "H");
  EXPECT_LT(norm(difference(h, golden_h)), 1e-6 * norm(golden_h));
  const Matrix<float> weight = read_matrix(*inputs_, "weight");
  const HessianFactor factor = factor_inputs(h, params_, std::nullopt, *backend_);
  const QuantizeResult result = quantize_linear(weight.view(), factor, params_, std::nullopt,
                                                nullptr, std::nullopt, *backend_);
  const Matrix<float> expected = read_matrix(*run_, "Q");
  EXPECT_LT(norm(difference(result.fitted, expected)), 2e-5 * norm(expected));
  EXPECT_LT(norm(difference(dequantize(result.linear), expected)), 1e-3 * norm(expected));
  const double golden = std::stod(run_->metadata().at("rel_output_error"));
  EXPECT_NEAR(result.fitted_error, golden, 1e-3 * golden);
  EXPECT_NEAR(result.relative_error, golden, 0.01 * golden);
}

std::vector<GoldenCase> golden_cases() {
  std::vector<GoldenCase> cases;
  for (const char* name : {"A", "B", "C"}) {
    cases.push_back({name, "braq", FitRule::kPlain, 1});
    cases.push_back({name, "arb-p1", FitRule::kArb, 1});
    cases.push_back({name, "arb-p2", FitRule::kArb, 2});
    cases.push_back({name, "arb-cgb", FitRule::kArb, 1, true});
    cases.push_back({name, "arb-x-p1", FitRule::kArbX, 1});
    cases.push_back({name, "arb-x-cgb", FitRule::kArbX, 1, true});
    cases.push_back({name, "arb-rc-p1", FitRule::kArbRc, 1});
    cases.push_back({name, "arb-rc-p2", FitRule::kArbRc, 2});
    cases.push_back({name, "arb-rc-cgb", FitRule::kArbRc, 1, true});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Cases, ArbGolden, ::testing::ValuesIn(golden_cases()),
                         [](const auto& param_info) {
                           std::string name = param_info.param.name + "_" + param_info.param.run;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace btc
