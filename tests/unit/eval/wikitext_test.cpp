// The shipped model on real text, against values computed with `transformers` 4.57.1 and
// torch 2.11.0: fp32 logits, fp64 log-softmax, window 512, BOS once at the start.

#include <gmock/gmock.h>

#include <filesystem>

#include "calibration/tokens.hpp"
#include "eval/perplexity.hpp"
#include "io/atomic_file.hpp"
#include "model/block_forward.hpp"
#include "model/checkpoint.hpp"

namespace btc {
namespace {

TEST(WikiText, FirstWindowsHaveTheLossesOfTransformers) {
  const std::filesystem::path file = BTC_SOURCE_DIR "/../shared/data/wikitext2/wiki.test.raw";
  if (!std::filesystem::exists(file)) {
    GTEST_SKIP() << "no file " << file;
  }
  configure_torch(1);
  const std::filesystem::path folder = BTC_SOURCE_DIR "/examples/wiki-llama-7m";
  const auto model = Checkpoint::open(folder);
  // The start of the file is enough for four windows and a good margin.
  const std::string text = join_wikitext(std::string_view(read_text_file(file)).substr(0, 20000));
  std::vector<std::int32_t> ids = open_tokenizer(folder)->encode(text);
  ids.insert(ids.begin(), 1);
  const Matrix<std::int32_t> windows = cut_windows(ids, 512);
  const std::vector<double> losses = window_nll(*model, windows.view().sub(0, 4, 0, 512), 4);
  const std::vector<double> expected = {3.687521334, 3.930692143, 4.414808700, 4.386508747};
  ASSERT_EQ(losses.size(), expected.size());
  for (std::size_t w = 0; w < expected.size(); ++w) {
    EXPECT_NEAR(losses[w], expected[w], 2e-6);
  }
}

}  // namespace
}  // namespace btc
