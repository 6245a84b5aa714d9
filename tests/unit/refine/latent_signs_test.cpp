#include "refine/latent_signs.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>

#include "backend/backend.hpp"
#include "common/error.hpp"
#include "refine/params.hpp"
#include "refine_fixture.hpp"

namespace btc {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kRows = 6;
constexpr std::size_t kCols = 22;  // no multiple of the vector length
constexpr int kLength = 4;

Matrix<float> some_weights() {
  Rng rng(7);
  Matrix<float> w(kRows, kCols);
  for (float& value : w.values()) {
    value = static_cast<float>(rng.normal());
  }
  return w;
}

double squared_error(const Matrix<float>& target, const QuantizedLinear& linear) {
  const Matrix<float> q = dequantize(linear);
  double sum = 0;
  for (std::size_t k = 0; k < q.size(); ++k) {
    const auto e = static_cast<double>(target.values()[k] - q.values()[k]);
    sum += e * e;
  }
  return sum;
}

class LatentSignsTest : public ::testing::Test {
 protected:
  LatentSignsTest() {
    linear_.group = Matrix<std::uint8_t>(kRows, kCols);
    linear_.groups = 2;
    linear_.alpha = Matrix<float>(kRows, 2);
    for (std::size_t i = 0; i < kRows; ++i) {
      linear_.alpha(i, 0) = 0.5F;
      linear_.alpha(i, 1) = 2.0F;
      for (std::size_t j = 0; j < kCols; ++j) {
        linear_.group(i, j) = std::abs(weights_(i, j)) > 1.2F ? 1 : 0;
      }
    }
  }
  void use_codebook() {
    search_ = backend_->open_codewords(codewords_, kLength);
    linear_.vector_length = kLength;
    linear_.index = Matrix<std::uint32_t>(kRows, ceil_div(kCols, std::size_t{kLength}));
  }
  /// Changes that move the latent weights to `target` for steps of 1.
  [[nodiscard]] std::vector<float> changes_to(const Matrix<float>& target) const {
    const Matrix<float> q = dequantize(linear_);
    std::vector<float> change;
    for (std::size_t k = 0; k < target.size(); ++k) {
      change.push_back(target.values()[k] - 0.5F * (q.values()[k] + weights_.values()[k]));
    }
    return change;
  }

  const std::vector<Pattern> codewords_ = {0b1111, 0b0101, 0b1010, 0b0011, 0b1000};
  Matrix<float> weights_ = some_weights();
  QuantizedLinear linear_ = test::signs_of(weights_);
  std::unique_ptr<Backend> backend_ = make_reference_backend();
  std::unique_ptr<CodewordSearch> search_;
};

TEST_F(LatentSignsTest, FreeSignsAreThoseOfTheLatentWeights) {
  const LatentSigns latent(linear_, weights_.view(), nullptr);
  Matrix<float> target = some_weights();
  target(2, 3) = -target(2, 3);
  target(5, 21) = -target(5, 21);
  const auto change = changes_to(target);
  latent.choose(change, 1, linear_);
  EXPECT_EQ(linear_.signs.get(2, 3), target(2, 3) > 0);
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t j = 0; j < kCols; ++j) {
      ASSERT_EQ(linear_.signs.get(i, j), target(i, j) >= 0) << i << ", " << j;
    }
  }
}

TEST_F(LatentSignsTest, ColumnMeansAreNotOfTheSign) {
  for (std::size_t j = 0; j < kCols; ++j) {
    linear_.mu_col.push_back(j % 2 == 0 ? 3.0F : -3.0F);  // beyond the weights
  }
  const LatentSigns latent(linear_, weights_.view(), nullptr);
  latent.choose(changes_to(weights_), 1, linear_);
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t j = 0; j < kCols; ++j) {
      ASSERT_EQ(linear_.signs.get(i, j), weights_(i, j) >= linear_.mu_col[j]) << i << ", " << j;
    }
  }
}

// Every other codeword of every sub-vector is at least as far away.
TEST_F(LatentSignsTest, CodewordsAreTheNearest) {
  use_codebook();
  const LatentSigns latent(linear_, weights_.view(), search_.get());
  latent.choose(changes_to(weights_), 1, linear_);
  const double chosen = squared_error(weights_, linear_);
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t k = 0; k < linear_.index.cols(); ++k) {
      for (const Pattern other : codewords_) {
        QuantizedLinear changed = linear_;
        changed.signs.set_pattern(i, k * kLength, kLength, other);
        EXPECT_GE(squared_error(weights_, changed), chosen - 1e-4) << i << ", " << k;
      }
      EXPECT_EQ(linear_.signs.pattern(i, k * kLength, kLength) | (k == 5 ? 0b1100U : 0U),
                codewords_[linear_.index(i, k)] | (k == 5 ? 0b1100U : 0U));
    }
  }
}

// Each group keeps its size in each row, and no entry of the upper one is smaller.
TEST_F(LatentSignsTest, GroupsFollowTheLatentWeights) {
  use_codebook();
  linear_.group_ratio = {1.0F, 4.0F};
  linear_.alpha = Matrix<float>(kRows, 1, 0.5F);
  linear_.alpha_col.assign(kCols, 1.0F);
  linear_.alpha_col[4] = 3.0F;
  const auto sizes_of = [&](std::size_t i) {
    std::array<std::size_t, 2> sizes{};
    for (const std::uint8_t g : linear_.group.row(i)) {
      ++sizes.at(g);
    }
    return sizes;
  };
  std::vector<std::array<std::size_t, 2>> before;
  for (std::size_t i = 0; i < kRows; ++i) {
    before.push_back(sizes_of(i));
  }
  const Matrix<std::uint8_t> groups_before = linear_.group;
  const LatentSigns latent(linear_, weights_.view(), search_.get());
  Rng rng(3);
  Matrix<float> target(kRows, kCols);
  for (float& value : target.values()) {
    value = static_cast<float>(rng.normal());
  }
  latent.choose(changes_to(target), 1, linear_);
  EXPECT_NE(linear_.group, groups_before);
  const auto size_of = [&](std::size_t i, std::size_t j) {
    return std::abs(target(i, j)) / linear_.alpha_col[j];
  };
  for (std::size_t i = 0; i < kRows; ++i) {
    EXPECT_EQ(sizes_of(i), before[i]) << i;
    for (std::size_t a = 0; a < kCols; ++a) {
      for (std::size_t b = 0; b < kCols; ++b) {
        if (linear_.group(i, a) > linear_.group(i, b)) {
          EXPECT_GE(size_of(i, a), size_of(i, b) - 1e-5F) << i << ": " << a << ", " << b;
        }
      }
    }
  }
}

TEST_F(LatentSignsTest, GroupsWithMeansOrFreeSignsAreFrozen) {
  const Matrix<std::uint8_t> before = linear_.group;
  Matrix<float> target = weights_;
  std::reverse(target.values().begin(), target.values().end());
  LatentSigns(linear_, weights_.view(), nullptr).choose(changes_to(target), 1, linear_);
  EXPECT_EQ(linear_.group, before);
  use_codebook();
  linear_.mu = Matrix<float>(kRows, 2);
  LatentSigns(linear_, weights_.view(), search_.get()).choose(changes_to(target), 1, linear_);
  EXPECT_EQ(linear_.group, before);
}

TEST_F(LatentSignsTest, BeginHalfwayAndMoveInTheirUnit) {
  const LatentSigns latent(linear_, weights_.view(), nullptr);
  double sum = 0;
  for (const float w : weights_.values()) {
    sum += std::abs(static_cast<double>(w));
  }
  EXPECT_NEAR(latent.unit(), sum / static_cast<double>(weights_.size()), 1e-6);
  const QuantizedLinear before = linear_;
  latent.choose(std::vector<float>(latent.size()), latent.unit(), linear_);
  EXPECT_EQ(linear_.signs, before.signs) << "both ends of the way have these signs";
  EXPECT_THROW(latent.choose(std::vector<float>(3), 1, linear_), Error);
}

TEST(SignTraining, IsRefusedWhereItCannotWork) {
  std::optional<CodebookParams> codebook;
  const auto error_of = [&](const RefineParams& refine, const BinarizeParams& binarize) {
    try {
      check_params(refine, binarize, codebook);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  RefineParams refine;
  refine.kd_sign_learning_rate = 0.05;
  BinarizeParams binarize;
  binarize.salient = SalientRule::kNone;
  EXPECT_THAT(error_of(refine, binarize), HasSubstr("unless kd_epochs"));
  refine.kd_epochs = 1;
  EXPECT_EQ(error_of(refine, binarize), "");
  refine.block_sign_learning_rate = 0.05;
  EXPECT_THAT(error_of(refine, binarize), HasSubstr("unless block_epochs"));
  refine.block_epochs = 1;
  EXPECT_EQ(error_of(refine, binarize), "");
  binarize.salient = SalientRule::kSearch;
  EXPECT_THAT(error_of(refine, binarize), HasSubstr("unless binarize.salient is none"));
  binarize.salient = SalientRule::kNone;
  binarize.uniform = UniformRule::kRtn;
  EXPECT_THAT(error_of(refine, binarize), HasSubstr("levels are not signs"));
  binarize.uniform = UniformRule::kNone;
  codebook = CodebookParams{};
  EXPECT_EQ(error_of(refine, binarize), "");
  codebook->scope = CodebookScope::kBlockGroup;
  EXPECT_THAT(error_of(refine, binarize), HasSubstr("block_group"));
  codebook->scope = CodebookScope::kBlock;
  codebook->layout = CodebookLayout::kMasked;
  EXPECT_THAT(error_of(refine, binarize), HasSubstr("masked"));
}

}  // namespace
}  // namespace btc
