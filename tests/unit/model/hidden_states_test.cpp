#include "model/hidden_states.hpp"

#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>

#include "common/error.hpp"
#include "common/half.hpp"
#include "model/block_forward.hpp"
#include "model/checkpoint.hpp"
#include "support/bf16_matrix.hpp"

namespace btc {
namespace {

TEST(HiddenStates, GiveBackEveryBitPattern) {
  Matrix<std::uint16_t> bits(256, 256);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    bits.values()[i] = static_cast<std::uint16_t>(i);
  }
  const HiddenStates hidden(bits.view(), {});
  EXPECT_EQ(hidden.tokens(), 256U);
  EXPECT_EQ(hidden.hidden(), 256U);
  EXPECT_EQ(hidden.bytes(), 2 * bits.size());
  EXPECT_EQ(hidden.place(), TorchPlace{});
  Matrix<std::uint16_t> found(256, 256);
  hidden.copy_to(found.view());
  EXPECT_EQ(found, bits);
  EXPECT_EQ(std::memcmp(hidden.ready(), bits.data(), hidden.bytes()), 0);
}

TEST(HiddenStates, TakeViewsWithAStrideAndFillThem) {
  Matrix<std::uint16_t> wide(3, 10);
  for (std::size_t i = 0; i < wide.size(); ++i) {
    wide.values()[i] = static_cast<std::uint16_t>(i);
  }
  const HiddenStates hidden(wide.view().columns(2, 6), {});
  Matrix<std::uint16_t> target(3, 10);
  hidden.copy_to(target.view().columns(5, 9));
  for (std::size_t t = 0; t < 3; ++t) {
    for (std::size_t i = 0; i < 10; ++i) {
      EXPECT_EQ(target(t, i), i >= 5 && i < 9 ? wide(t, i - 3) : 0);
    }
  }
  EXPECT_THROW(hidden.copy_to(target.view()), Error);
}

TEST(HiddenStates, HoldWhatWasReceivedIntoThem) {
  const Matrix<std::uint16_t> bits = test::random_bf16_bits(5, 7, 1);
  HiddenStates hidden(5, 7, {});
  std::memcpy(hidden.ready(), bits.data(), hidden.bytes());
  Matrix<std::uint16_t> found(5, 7);
  hidden.copy_to(found.view());
  EXPECT_EQ(found, bits);
}

class HiddenStatesOfABlock : public ::testing::TestWithParam<const char*> {};

TEST_P(HiddenStatesOfABlock, AreTheBitsOfItsRoundedOutput) {
  configure_torch(1);
  const auto model =
      Checkpoint::open(std::string(BTC_SOURCE_DIR "/tests/golden/models/") + GetParam());
  const BlockForward block(model->config(), model->load_block(1));
  for (const std::size_t tokens : {1U, 23U}) {
    const auto bits = test::random_bf16_bits(tokens, model->config().hidden, tokens);
    Matrix<std::uint16_t> found(tokens, bits.cols());
    block.run(HiddenStates(bits.view(), {})).copy_to(found.view());
    EXPECT_EQ(found, test::bf16_bits(block.run(test::bf16_values(bits).view())));
  }
}

INSTANTIATE_TEST_SUITE_P(Families, HiddenStatesOfABlock,
                         ::testing::Values("llama_gqa_llama3", "llama_untied_bias", "qwen3"),
                         [](const auto& family) { return std::string(family.param); });

TEST(HiddenStates, RoundAsTheFilesDo) {
  const Matrix<float> values = test::values_around_all_bf16();
  Matrix<std::uint16_t> found(values.rows(), values.cols());
  HiddenStates(values.view(), {}).copy_to(found.view());
  EXPECT_EQ(found, test::bf16_bits(values));
}

TEST(HiddenStates, KeepWhatIsNoNumber) {
  Matrix<float> values(1, 70);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint32_t sign = i % 2 == 0 ? 0U : 0x80000000U;
    values.values()[i] = std::bit_cast<float>(sign | (0x7f800001U + static_cast<std::uint32_t>(i)));
  }
  Matrix<std::uint16_t> found(values.rows(), values.cols());
  HiddenStates(values.view(), {}).copy_to(found.view());
  EXPECT_EQ(found, test::bf16_bits(values));
  for (const std::uint16_t bits : found.values()) {
    EXPECT_TRUE(std::isnan(bf16_to_float(bits)));
  }
}

}  // namespace
}  // namespace btc
