#include "model/tokenizer.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "common/error.hpp"
#include "io/atomic_file.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

fs::path example_model() { return BTC_SOURCE_DIR "/examples/wiki-llama-7m"; }

class TokenizerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / concat("btc-tokenizer-", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  [[nodiscard]] std::string refusal() const {
    try {
      open_tokenizer(folder_);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  }
  fs::path folder_;
};

TEST_F(TokenizerTest, TextSurvivesTheRoundTrip) {
  const auto tokenizer = open_tokenizer(example_model());
  EXPECT_EQ(tokenizer->vocab_size(), 4096U);
  EXPECT_EQ(tokenizer->bos_id(), 1);
  EXPECT_EQ(tokenizer->file_sha256().size(), 64U);
  const std::string text = "The tower was built in 1898; \xC3\xA9t\xC3\xA9 \xE2\x82\xAC.";
  const auto ids = tokenizer->encode(text);
  EXPECT_GT(ids.size(), 5U);
  EXPECT_EQ(tokenizer->decode(ids), text);
  EXPECT_THROW((void)tokenizer->decode({4096}), InputError);
}

TEST_F(TokenizerTest, SpecialTokensInTheTextStayText) {
  const auto ids = open_tokenizer(example_model())->encode("a <s> b");
  EXPECT_THAT(ids, ::testing::Not(::testing::Contains(1)));
}

TEST_F(TokenizerTest, TheDirectoryMaySayThatNoBosIsAdded) {
  fs::copy(example_model() / "tokenizer.model", folder_ / "tokenizer.model");
  write_text_file(folder_ / "tokenizer_config.json", R"({"add_bos_token": false})");
  EXPECT_FALSE(open_tokenizer(folder_)->bos_id().has_value());
  write_text_file(folder_ / "tokenizer_config.json", R"({"add_bos_token": null})");
  EXPECT_TRUE(open_tokenizer(folder_)->bos_id().has_value());
  write_text_file(folder_ / "tokenizer_config.json", R"({"add_bos_token": 1})");
  EXPECT_THAT(refusal(), HasSubstr("add_bos_token: expected true or false, found 1"));
}

TEST_F(TokenizerTest, SaysThatByteLevelBpeIsNotSupported) {
  EXPECT_THAT(refusal(), HasSubstr("no tokenizer.model"));
  write_text_file(folder_ / "tokenizer.json", "{}");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("tokenizer.json"), HasSubstr("byte-level BPE")));
  write_text_file(folder_ / "tokenizer.model", "IQ== 0\nIg== 1\n");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("a list of BPE ranks"), HasSubstr("byte-level BPE")));
  write_text_file(folder_ / "tokenizer.model", "garbage");
  EXPECT_THAT(refusal(), HasSubstr("not a sentencepiece model"));
}

TEST_F(TokenizerTest, LlamaTokenizerGivesThePublishedIds) {
  const fs::path folder = BTC_SOURCE_DIR "/../shared/data/tokenizers/llama1_2";
  if (!fs::exists(folder)) {
    GTEST_SKIP() << "no folder " << folder;
  }
  EXPECT_THAT(open_tokenizer(folder)->encode("Hello world, this is a test."),
              ElementsAre(15043, 3186, 29892, 445, 338, 263, 1243, 29889));
}

}  // namespace
}  // namespace btc
