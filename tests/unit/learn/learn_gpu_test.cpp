/// A learning step on a CUDA device against the same step on the CPU.

#include <gmock/gmock.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "common/error.hpp"
#include "common/rng.hpp"
#include "learn/transformed_block.hpp"
#include "model/checkpoint.hpp"
#include "support/random_matrix.hpp"
#include "support/relative_distance.hpp"
#include "support/torch_device.hpp"

namespace btc {
namespace {

using test::relative_distance;

struct Step {
  BlockWeights effective;
  std::vector<float> gradient;
  bool operator==(const Step& other) const {
    return effective.linear == other.effective.linear && gradient == other.gradient;
  }
};

/// Model and precision.
using Given = std::tuple<const char*, Precision>;

class LearnOnDevice : public ::testing::TestWithParam<Given> {
 protected:
  void SetUp() override { test::use_torch_device(1, place_); }

  [[nodiscard]] Step step(TorchPlace place) const {
    const auto model = Checkpoint::open(std::filesystem::path(BTC_SOURCE_DIR) /
                                        "tests/golden/models" / std::get<0>(GetParam()));
    const BlockWeights weights = model->load_block(0);
    TransformParams params;
    params.kind = TransformKind::kFlatQuant;
    params.precision = std::get<1>(GetParam());
    params.similarity = 0.1;
    params.balance = 0.1;
    BinarizeParams binarize;
    binarize.split_points = 1;
    TransformedBlock block(model->config(), weights, params, binarize, 16, 5, place);
    Rng rng(6);
    std::vector<float> change(block.size());
    for (float& value : change) {
      value = static_cast<float>(0.002 * rng.normal());
    }
    block.set(change, false);
    block.regroup();
    block.choose_signs();
    Step result{block.effective(), std::vector<float>(block.size())};
    KeptOutputs original(BlockForward(model->config(), weights, place));
    Matrix<float> input = test::random_matrix(40, model->config().hidden, 2);
    block.add_error_gradient(
        original, [&] { return input; }, std::array<std::size_t, 2>{0, 0}, result.gradient);
    block.add_sign_gradient(8, params, result.gradient);
    return result;
  }

  TorchPlace place_;
};

TEST_P(LearnOnDevice, StepIsThatOfTheCpu) {
  const Step found = step(place_);
  EXPECT_EQ(found, step(place_)) << "not repeatable";
  const Step expected = step({});
  // An entry at a threshold may fall either way; in bf16 an operand between two numbers, too.
  EXPECT_LT(relative_distance(found.gradient, expected.gradient), 1e-2);
  for (const LinearKind kind : kLinearKinds) {
    EXPECT_LT(relative_distance(found.effective.linear.at(index_of(kind)).values(),
                                expected.effective.linear.at(index_of(kind)).values()),
              1e-2)
        << name_of(kind);
  }
}

std::string name_of_case(const ::testing::TestParamInfo<Given>& given) {
  const auto [model, precision] = given.param;
  return concat(model, "_", kPrecisionNames.at(static_cast<std::size_t>(precision)));
}

INSTANTIATE_TEST_SUITE_P(Models, LearnOnDevice,
                         ::testing::Combine(::testing::Values("llama_gqa_llama3", "qwen2_tied",
                                                              "qwen3"),
                                            ::testing::Values(Precision::kFp32, Precision::kBf16)),
                         name_of_case);

}  // namespace
}  // namespace btc
