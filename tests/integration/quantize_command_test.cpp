/// One matrix through `btc quantize-linear`.

#include <gmock/gmock.h>

#include <cmath>
#include <random>

#include "io/safetensors.hpp"
#include "support/pipeline_run.hpp"
#include "support/process.hpp"
#include "support/scratch.hpp"

namespace btc::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t kRows = 24;
constexpr std::size_t kCols = 160;
constexpr std::size_t kSequences = 2;
constexpr std::size_t kTokens = 100;

class QuantizeLinearCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    for (auto* values : {&weight_, &inputs_}) {
      for (float& value : *values) {
        value = normal(random);
      }
    }
    const auto tensor = [](const char* name, std::vector<std::int64_t> shape,
                           const std::vector<float>& values) {
      return TensorView{name, DType::kF32, std::move(shape), std::as_bytes(std::span(values))};
    };
    write_safetensors(
        in_,
        {tensor("w", {kRows, kCols}, weight_), tensor("x", {kSequences, kTokens, kCols}, inputs_)},
        {});
  }

  [[nodiscard]] ProcessResult run(const std::vector<std::string>& more,
                                  const std::string& name = "w") const {
    std::vector<std::string> command = {
        program("btc"), "quantize-linear", "--weights", in_.string(), "--name",
        name,           "--inputs-tensor", "x",         "--out",      out_.string()};
    command.insert(command.end(), more.begin(), more.end());
    return run_process(command);
  }

  /// sum over all tokens of |x (W - Q)^T|^2, or of |x W^T|^2 without Q.
  [[nodiscard]] double output_energy(const std::vector<float>* q) const {
    double sum = 0;
    for (std::size_t t = 0; t < kSequences * kTokens; ++t) {
      for (std::size_t i = 0; i < kRows; ++i) {
        double y = 0;
        for (std::size_t j = 0; j < kCols; ++j) {
          const float taken = q == nullptr ? 0.0F : (*q)[i * kCols + j];
          y += static_cast<double>(weight_[i * kCols + j] - taken) *
               static_cast<double>(inputs_[t * kCols + j]);
        }
        sum += y * y;
      }
    }
    return sum;
  }

  Scratch scratch_{"quantize-linear"};
  std::filesystem::path in_ = scratch_.path() / "in.safetensors";
  std::filesystem::path out_ = scratch_.path() / "out.safetensors";
  std::vector<float> weight_ = std::vector<float>(kRows * kCols);
  std::vector<float> inputs_ = std::vector<float>(kSequences * kTokens * kCols);
};

TEST_F(QuantizeLinearCommand, WritesTheMatrixAndTheErrorOfItsOutput) {
  const ProcessResult result = run({"--set", "binarize.split_points=1"});
  ASSERT_EQ(result.exit_code, 0) << result.text();
  EXPECT_THAT(result.out, AllOf(HasSubstr("signs"), HasSubstr("bits  nominal 1.0000")));
  const SafetensorsFile file = SafetensorsFile::open(out_);
  const std::vector<float> q = to_float(file.at("Q"));
  ASSERT_EQ(q.size(), weight_.size());
  const double error = std::stod(file.metadata().at("rel_output_error"));
  EXPECT_NEAR(error, output_energy(&q) / output_energy(nullptr), 1e-4 * error);
  EXPECT_LT(error, 0.2);
}

TEST_F(QuantizeLinearCommand, LearnsACodebookOnThisMatrix) {
  const ProcessResult result = run({"--preset", "stored_2.4", "--set", "codebook.centroids=100",
                                    "--set", "codebook.target_bits=null"});
  ASSERT_EQ(result.exit_code, 0) << result.text();
  EXPECT_THAT(result.out, AllOf(HasSubstr("codebook"), HasSubstr("bits  nominal 0.4152")));
}

TEST_F(QuantizeLinearCommand, KnowsTheLinearCode) {
  const ProcessResult result =
      run({"--set", "codebook.codec=linear_20_16", "--set", "codebook.vector_length=20"});
  ASSERT_EQ(result.exit_code, 0) << result.text();
  EXPECT_THAT(result.out, AllOf(Not(HasSubstr("codebook")), HasSubstr("bits  nominal 0.8000")));
}

TEST_F(QuantizeLinearCommand, KnowsTheComparators) {
  const ProcessResult result = run({"--preset", "gptq_3", "--set", "binarize.panel=16"});
  ASSERT_EQ(result.exit_code, 0) << result.text();
  EXPECT_THAT(result.out, HasSubstr("bits  nominal 3.0000"));
}

TEST_F(QuantizeLinearCommand, MistakesAreNamed) {
  const auto expect = [&](const std::vector<std::string>& arguments, const std::string& text,
                          const std::string& name = "w") {
    const ProcessResult result = run(arguments, name);
    EXPECT_EQ(result.exit_code, 2) << result.text();
    EXPECT_THAT(result.err, HasSubstr(text));
  };
  expect({"--preset", "nowhere"}, "preset 'nowhere' is not known");
  expect({"--backend", "cuda"}, "choose the cpu backend");  // built without CUDA
  expect({"--set", "binarize.iteration=3"}, "binarize.iteration");
  expect({}, "got 3 dimensions", "x");
  expect({}, "tensor y", "y");
}

}  // namespace
}  // namespace btc::test
