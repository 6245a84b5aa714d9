#include "pipeline/binarized_block.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "common/error.hpp"
#include "model/checkpoint.hpp"
#include "pipeline/codebooks.hpp"
#include "support/random_matrix.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;

class StageFiles : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove(path_); }
  fs::path path_ =
      fs::path(::testing::TempDir()) / ("stage_file_" + std::to_string(getpid()) + ".h5");

  /// Flips one bit of the byte at an offset.
  void flip_byte(std::uintmax_t at) const {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte ^ 1));
  }
};

BinarizedBlock example() {
  BinarizedBlock block;
  for (std::size_t i = 0; i < block.factor.size(); ++i) {
    const std::size_t width = 3 + i;
    HessianFactor& factor = block.factor.at(i);
    factor.u = Matrix<float>(width, width);
    for (std::size_t r = 0; r < width; ++r) {
      for (std::size_t c = r; c < width; ++c) {
        factor.u(r, c) = static_cast<float>(100 * i + 10 * r + c) / 7;
      }
    }
    factor.lambda = 0.125 * static_cast<double>(i + 1);
  }
  block.factor.at(2).dead_columns = {1, 4};
  block.factor.at(1).gram = Matrix<float>(4, 2, 0.5F);
  for (std::uint32_t k = 0; k < kLinearKinds.size(); ++k) {
    block.linear.push_back(
        {k % 2 == 0 ? std::vector<std::uint32_t>{k, k + 9} : std::vector<std::uint32_t>{},
         {{16, {k, k + 7}, {1, 5'000'000'000}}},
         0.01 * k});
  }
  block.linear[2].histograms.push_back({16, {3, 4, 50000}, {2, 1, 9}});
  return block;
}

TEST_F(StageFiles, ABinarizedBlockComesBackBitForBit) {
  const BinarizedBlock block = example();
  write_binarized(path_, block, "fp");
  const BinarizedBlock back = read_binarized(path_);
  for (std::size_t i = 0; i < block.factor.size(); ++i) {
    EXPECT_EQ(back.factor.at(i).u, block.factor.at(i).u);
    EXPECT_EQ(back.factor.at(i).lambda, block.factor.at(i).lambda);
    EXPECT_EQ(back.factor.at(i).dead_columns, block.factor.at(i).dead_columns);
    EXPECT_EQ(back.factor.at(i).gram, block.factor.at(i).gram);
  }
  ASSERT_EQ(back.linear.size(), block.linear.size());
  for (std::size_t k = 0; k < block.linear.size(); ++k) {
    EXPECT_EQ(back.linear[k].salient_columns, block.linear[k].salient_columns);
    ASSERT_EQ(back.linear[k].histograms.size(), block.linear[k].histograms.size());
    for (std::size_t h = 0; h < block.linear[k].histograms.size(); ++h) {
      EXPECT_EQ(back.linear[k].histograms[h].patterns, block.linear[k].histograms[h].patterns);
      EXPECT_EQ(back.linear[k].histograms[h].counts, block.linear[k].histograms[h].counts);
    }
    EXPECT_EQ(back.linear[k].relative_error, block.linear[k].relative_error);
  }
  const auto histograms = read_histograms(path_);
  ASSERT_EQ(histograms.size(), kLinearKinds.size() + 1);
  EXPECT_EQ(histograms[3].patterns, block.linear[2].histograms[1].patterns);
  EXPECT_EQ(histograms[7].patterns, block.linear[6].histograms[0].patterns);
}

TEST_F(StageFiles, MeanHessiansOfAReaderAreThoseOfItsSequences) {
  const auto checkpoint =
      Checkpoint::open(fs::path(BTC_SOURCE_DIR) / "tests/golden/models/llama_gqa_llama3");
  const ModelConfig& model = checkpoint->config();
  const BlockWeights weights = checkpoint->load_block(0);
  std::vector<Matrix<float>> sequences;
  ActivationWriter writer(path_, {0, 3, 20, model.hidden, "test"});
  for (std::size_t s = 0; s < 3; ++s) {
    sequences.push_back(test::random_matrix(20, model.hidden, s));
    round_to_bf16(sequences[s].view());
    writer.write(s, sequences[s].view());
  }
  writer.commit();
  std::size_t next = 0;
  const Hessians expected = mean_hessians(
      model, weights, kSharedInputs, [&] { return sequences.at(next++); }, 3, TorchPlace{});
  ActivationReader reader(path_);
  EXPECT_EQ(mean_hessians(model, weights, kSharedInputs, reader, TorchPlace{}), expected);
  EXPECT_EQ(next, 3U);
}

TEST(DescribeDamping, NamesTheHessiansThatTookMore) {
  BinarizedBlock block;
  EXPECT_EQ(describe_damping(block), "");
  block.factor.at(index_of(SharedInput::kDown)) = {
      .u = {}, .lambda = 0.5, .raised = 2, .dead_columns = {}, .gram = {}};
  EXPECT_EQ(describe_damping(block), "; Hessian of down: damping raised 10^2 times, to 0.5");
}

TEST_F(StageFiles, WithoutCodebookOnlyTheFactorsAreKept) {
  BinarizedBlock block = example();
  block.linear.clear();
  write_binarized(path_, block, "fp");
  EXPECT_TRUE(read_binarized(path_).linear.empty());
}

TEST_F(StageFiles, AFlippedBitInTheFactorIsNoticed) {
  BinarizedBlock block = example();
  block.factor.at(0).u = Matrix<float>(64, 64, 1.5F);
  for (std::size_t r = 0; r < 64; ++r) {
    for (std::size_t c = 0; c < r; ++c) {
      block.factor.at(0).u(r, c) = 0;
    }
  }
  write_binarized(path_, block, "fp");
  std::ifstream file(path_, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const std::string run_of_values("\0\0\xc0\x3f\0\0\xc0\x3f\0\0\xc0\x3f\0\0\xc0\x3f", 16);
  const auto at = bytes.find(run_of_values);
  ASSERT_NE(at, std::string::npos);
  flip_byte(at + 2);
  EXPECT_THROW((void)read_binarized(path_), Error);
}

TEST_F(StageFiles, ATruncatedFileIsNoticed) {
  write_binarized(path_, example(), "fp");
  fs::resize_file(path_, fs::file_size(path_) / 2);
  EXPECT_THROW((void)read_binarized(path_), Error);
}

TEST_F(StageFiles, CodebooksComeBackAndAreNotMistakenForBlocks) {
  const std::vector<Codebook> codebooks = {{16, {1, 5, 65535}, 3, 0.0625}, {16, {7}, 0, 0}};
  write_codebooks(path_, codebooks, "fp");
  const auto back = read_codebooks(path_);
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[0].codewords, codebooks[0].codewords);
  EXPECT_EQ(back[0].iterations, 3);
  EXPECT_EQ(back[0].mean_flips, 0.0625);
  EXPECT_EQ(back[1].codewords, codebooks[1].codewords);
  EXPECT_THROW((void)read_binarized(path_), FormatError);
}

}  // namespace
}  // namespace btc
