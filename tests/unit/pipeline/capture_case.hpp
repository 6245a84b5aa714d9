#pragma once
/// A capture of five blocks by any number of ranks, and what its files must hold.

#include <gmock/gmock.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "calibration/activation_store.hpp"
#include "common/hash.hpp"
#include "common/rng.hpp"
#include "model/block_forward.hpp"
#include "model/checkpoint.hpp"
#include "pipeline/capture.hpp"
#include "support/bf16_matrix.hpp"
#include "support/shared_scratch.hpp"

namespace btc::test {

/// The two blocks of a small model, in turn.
class DeepModel final : public ModelSource {
 public:
  explicit DeepModel(int blocks)
      : small_(Checkpoint::open(BTC_SOURCE_DIR "/tests/golden/models/qwen3")),
        config_(small_->config()) {
    config_.blocks = blocks;
  }
  [[nodiscard]] const ModelConfig& config() const override { return config_; }
  [[nodiscard]] BlockWeights load_block(int block) const override {
    BlockWeights weights = small_->load_block(block % small_->config().blocks);
    if (block == broken_block) {
      weights.input_norm.front() = std::numeric_limits<float>::infinity();
    }
    return weights;
  }
  [[nodiscard]] Matrix<float> embed(std::span<const std::int32_t> ids) const override {
    return small_->embed(ids);
  }
  [[nodiscard]] std::vector<float> final_norm() const override { return small_->final_norm(); }
  [[nodiscard]] Matrix<float> head() const override { return small_->head(); }

  int broken_block = -1;  ///< has an output that is not finite

 private:
  std::unique_ptr<Checkpoint> small_;
  ModelConfig config_;
};

/// On three ranks: the embeddings, a wave of three blocks, a wave of one.
class CaptureCase : public ::testing::Test {
 protected:
  static constexpr int kBlocks = 5;
  static constexpr std::size_t kSequences = 4;
  static constexpr std::size_t kTokens = 13;

  CaptureCase() : sequences_(kSequences, kTokens) {
    Rng rng(5);
    for (std::int32_t& id : sequences_.values()) {
      id = static_cast<std::int32_t>(rng.below(model_.config().vocab_size));
    }
    for (int b = 0; b < kBlocks; ++b) {
      const std::string name = concat("block-0000", b);
      units_.push_back(
          {"capture", name, scratch_.path() / (name + ".h5"), concat("fingerprint ", b)});
    }
  }

  /// @return how many files were written
  std::size_t capture(TorchPlace place, HiddenLink& link) {
    const UnitStore store(scratch_.path() / "state", ResumeVerify::kSize);
    StopRequest stop({}, std::nullopt);
    StageRunner runner(comm_, store, stop);
    const std::size_t written =
        capture_activations(runner, units_, model_, sequences_, place, link);
    EXPECT_TRUE(runner.unfinished(units_).empty());
    return written;
  }

  /// Compares all files with the blocks run one after the other on this rank, rounded by the host.
  void expect_blocks_one_after_the_other(TorchPlace place) const {
    std::vector<Matrix<std::uint16_t>> bits;
    for (std::size_t s = 0; s < kSequences; ++s) {
      bits.push_back(bf16_bits(model_.embed(sequences_.row(s))));
    }
    expect_holds(units_[0], bits);
    for (int b = 0; b + 1 < kBlocks; ++b) {
      const BlockForward block(model_.config(), model_.load_block(b), place);
      for (Matrix<std::uint16_t>& sequence : bits) {
        sequence = bf16_bits(block.run(bf16_values(sequence).view()));
      }
      const Unit& unit = units_[static_cast<std::size_t>(b) + 1];
      expect_holds(unit, bits);
      expect_same_bytes(unit, b + 1, bits);
    }
  }

  const Communicator comm_ = Communicator::world();
  const SharedScratch scratch_{"capture"};
  DeepModel model_{kBlocks};
  Matrix<std::int32_t> sequences_;
  std::vector<Unit> units_;  ///< unit b writes the input of block b

 private:
  static void expect_holds(const Unit& unit, const std::vector<Matrix<std::uint16_t>>& bits) {
    ActivationReader reader(unit.file);
    for (std::size_t s = 0; s < kSequences; ++s) {
      EXPECT_EQ(bf16_bits(reader.next()), bits[s]) << unit.name << ", sequence " << s;
    }
  }

  /// One rank writes such a file from floats.
  void expect_same_bytes(const Unit& unit, int block,
                         const std::vector<Matrix<std::uint16_t>>& bits) const {
    const Scratch own("capture-expected");
    const std::filesystem::path path = own.path() / "expected.h5";
    ActivationWriter writer(path,
                            {block, kSequences, kTokens, model_.config().hidden, unit.fingerprint});
    for (std::size_t s = 0; s < kSequences; ++s) {
      writer.write(s, bf16_values(bits[s]).view());
    }
    writer.commit();
    EXPECT_EQ(sha256_file(unit.file), sha256_file(path)) << unit.name;
  }
};

}  // namespace btc::test
