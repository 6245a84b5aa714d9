#include "quant/hessian.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

#include "unit/quant/problems.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class HessianTest : public ::testing::Test {
 protected:
  std::unique_ptr<Backend> backend_ = make_reference_backend();
};

TEST_F(HessianTest, DampsTheDiagonalByItsMean) {
  Matrix<float> h(2, 2);
  h.values() = {1, 0, 0, 3};
  const HessianFactor factor = factor_hessian(h, 0.5, *backend_);
  EXPECT_DOUBLE_EQ(factor.lambda, 1.0);
  EXPECT_EQ(factor.raised, 0);
  EXPECT_THAT(factor.dead_columns, IsEmpty());
  EXPECT_FLOAT_EQ(factor.u(0, 0), 1 / std::sqrt(2.0F));
  EXPECT_FLOAT_EQ(factor.u(1, 1), 0.5F);
}

TEST_F(HessianTest, SequencesWeighTheSame) {
  Matrix<float> x(4, 2);
  x.values() = {1, 2, 3, 4, 5, 6, 7, 8};
  const Matrix<float> h = input_hessian(x.view(), 2);
  EXPECT_THAT(h.values(), ElementsAre(84, 100, 100, 120)) << "2 / N of the sum";
  EXPECT_THROW(input_hessian(x.view(), 3), InputError);
}

TEST_F(HessianTest, DeadColumnsGetAnEntryBeforeTheMeanIsTaken) {
  Matrix<float> h(2, 2);
  h.values() = {3, 0, 0, 0};
  const HessianFactor factor = factor_hessian(h, 0.5, *backend_);
  EXPECT_THAT(factor.dead_columns, ElementsAre(1));
  EXPECT_DOUBLE_EQ(factor.lambda, 1.0);
}

// Eigenvalues 1 +- 1.05: the first damping that helps is 0.01 * 10.
TEST_F(HessianTest, DampingGrowsUntilTheFactorExists) {
  Matrix<float> h(2, 2);
  h.values() = {1, 1.05F, 1.05F, 1};
  const HessianFactor factor = factor_hessian(h, 0.01, *backend_);
  EXPECT_NEAR(factor.lambda, 0.1, 1e-9);
  EXPECT_EQ(factor.raised, 1);
}

TEST_F(HessianTest, GivesUpAfterThreeRetries) {
  Matrix<float> h(2, 2);
  h.values() = {1, 20, 20, 1};
  try {
    factor_hessian(h, 0.01, *backend_);
    FAIL() << "did not throw";
  } catch (const NumericError& error) {
    EXPECT_THAT(error.what(), HasSubstr("even with 10 added"));
  }
}

TEST_F(HessianTest, NamesWhatIsNotFinite) {
  Matrix<float> h(2, 2);
  h.values() = {1, 0, std::numeric_limits<float>::quiet_NaN(), 1};
  try {
    factor_hessian(h, 0.01, *backend_);
    FAIL() << "did not throw";
  } catch (const NumericError& error) {
    EXPECT_THAT(error.what(), HasSubstr("entry (1, 0)"));
  }
}

/// What the error says about a Hessian of 300 columns with these entries instead of those of 1.
std::string complaint(Backend& backend,
                      std::initializer_list<std::tuple<std::size_t, std::size_t, float>> entries) {
  Matrix<float> h(300, 300);
  for (std::size_t j = 0; j < h.rows(); ++j) {
    h(j, j) = 1;
  }
  for (const auto& [i, j, value] : entries) {
    h(i, j) = value;
  }
  try {
    factor_hessian(h, 0.01, backend);
  } catch (const NumericError& error) {
    return error.what();
  }
  return "nothing";
}

/// Calls bodies from the last to the first, which is an order that threads may come to.
class Backwards final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "backwards"; }
  void for_each(std::size_t count, const std::function<void(std::size_t)>& body) const override {
    for (std::size_t i = count; i-- > 0;) {
      body(i);
    }
  }
  Matrix<float> factor(MatrixView<const float> h) override { return reference_->factor(h); }
  std::unique_ptr<KMeansSession> open_kmeans(const PatternHistogram& /*histogram*/) override {
    return nullptr;
  }
  std::unique_ptr<CodewordSearch> open_codewords(std::span<const Pattern> /*codewords*/,
                                                 int /*vector_length*/) override {
    return nullptr;
  }
  std::unique_ptr<CodewordSearch> open_linear_code() override { return nullptr; }
  std::unique_ptr<ArbSession> open_arb(MatrixView<const float> /*w*/,
                                       MatrixView<const float> /*u*/) override {
    return nullptr;
  }

 private:
  std::unique_ptr<Backend> reference_ = make_reference_backend();
};

class CheckOfAHessian : public ::testing::TestWithParam<std::string> {
 protected:
  static std::unique_ptr<Backend> make() {
    if (GetParam() == "backwards") {
      return std::make_unique<Backwards>();
    }
    return GetParam() == "threads" ? make_cpu_backend(3) : make_reference_backend();
  }
  std::unique_ptr<Backend> backend_ = make();
};

TEST_P(CheckOfAHessian, NamesTheFirstBadEntryInWhateverOrderRowsAreRead) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(complaint(*backend_, {{250, 3, kNan}, {131, 7, kInfinity}, {131, 5, -kInfinity}}),
              HasSubstr("entry (131, 5) is -inf"));
  EXPECT_THAT(complaint(*backend_, {{299, 299, kNan}, {64, 64, -1.0F}, {200, 200, -2.0F}}),
              HasSubstr("diagonal entry 64 is -1"));
  EXPECT_THAT(complaint(*backend_, {{64, 299, kNan}, {64, 64, -1.0F}}),
              HasSubstr("entry (64, 299) is nan"))
      << "what is not finite in a row comes first";
  EXPECT_THAT(complaint(*backend_, {{0, 0, -1.0F}, {1, 0, kNan}}),
              HasSubstr("diagonal entry 0 is -1"));
  EXPECT_THAT(complaint(*backend_, {{299, 298, kNan}}), HasSubstr("entry (299, 298) is nan"));
  EXPECT_EQ(complaint(*backend_, {}), "nothing");
}

INSTANTIATE_TEST_SUITE_P(Orders, CheckOfAHessian,
                         ::testing::Values("forwards", "backwards", "threads"),
                         [](const auto& order) { return order.param; });

TEST_F(HessianTest, OutputEnergyIsTheQuadraticFormOfTheUndampedHessian) {
  constexpr std::size_t kCols = 40;
  Matrix<float> h = test::ar1_hessian(kCols, 0.9);
  for (std::size_t j = 0; j < kCols; ++j) {
    h(7, j) = h(j, 7) = 0;  // dead
  }
  const Matrix<float> undamped = h;
  const HessianFactor factor = factor_hessian(h, 0.01, *backend_);
  const Matrix<float> e = test::normal_weights(5, kCols, 3);
  double expected = 0;
  for (std::size_t r = 0; r < 5; ++r) {
    for (std::size_t i = 0; i < kCols; ++i) {
      for (std::size_t j = 0; j < kCols; ++j) {
        expected += static_cast<double>(e(r, i) * undamped(i, j) * e(r, j));
      }
    }
  }
  EXPECT_NEAR(output_energy(e.view(), factor), expected, 1e-4 * expected);
  const auto session = backend_->open_arb(e.view(), factor.u.view());
  EXPECT_NEAR(undamped_energy(session->energy(e.view()), e.view(), factor), expected,
              1e-4 * expected);
}

}  // namespace
}  // namespace btc
