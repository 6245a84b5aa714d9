#include "tokenizer/tokenizer.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "common/error.hpp"
#include "io/atomic_file.hpp"
#include "tokenizer/tokenizer_settings.hpp"

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

TEST_F(TokenizerTest, SpecialTokensInAPromptBecomeIds) {
  const auto tokenizer = open_tokenizer(example_model());
  EXPECT_EQ(tokenizer->id_of("<s>"), 1);
  EXPECT_EQ(tokenizer->id_of("the"), std::nullopt);
  EXPECT_THAT(tokenizer->eos_ids(), ElementsAre(2));
  const auto ids = tokenizer->encode_prompt("<s>The tower</s>");
  ASSERT_GT(ids.size(), 2U);
  EXPECT_EQ(ids.front(), 1);
  EXPECT_EQ(ids.back(), 2);
  EXPECT_EQ(tokenizer->decode(ids), "The tower");
}

TEST_F(TokenizerTest, AddedTokensStandBehindThePiecesOfSentencepiece) {
  fs::copy(example_model() / "tokenizer.model", folder_ / "tokenizer.model");
  write_text_file(folder_ / "tokenizer_config.json", R"({"added_tokens_decoder": {
      "0": {"content": "<unk>", "special": true},
      "4096": {"content": "<|im_start|>", "special": true},
      "4097": {"content": "<tool>", "special": false}}, "eos_token": "<|im_start|>"})");
  const auto tokenizer = open_tokenizer(folder_);
  EXPECT_EQ(tokenizer->vocab_size(), 4098U);
  EXPECT_EQ(tokenizer->id_of("<|im_start|>"), 4096);
  EXPECT_THAT(tokenizer->eos_ids(), ElementsAre(4096));
  EXPECT_THAT(tokenizer->encode("<|im_start|><tool>"), ::testing::Contains(4097));
  const auto ids = tokenizer->encode_prompt("<|im_start|><tool>");
  EXPECT_THAT(ids, ElementsAre(4096, 4097));
  EXPECT_EQ(tokenizer->decode(ids), "<tool>");
  EXPECT_THROW((void)tokenizer->decode({4098}), InputError);
}

TEST_F(TokenizerTest, TheFilesOfADirectoryHaveAnOrder) {
  const fs::path golden = BTC_SOURCE_DIR "/tests/golden/tokenizers";
  EXPECT_THAT(refusal(), HasSubstr("no tokenizer.model, qwen.tiktoken or tokenizer.json"));
  write_text_file(folder_ / "vocab.json", "{}");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("vocab.json"), HasSubstr("save it as tokenizer.json")));
  fs::copy(golden / "gpt2_like/tokenizer.json", folder_ / "tokenizer.json");
  EXPECT_EQ(open_tokenizer(folder_)->vocab_size(), 481U);
  write_text_file(folder_ / "qwen.tiktoken", "IQ== 0\nIg== 1\n");
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("qwen.tiktoken"), HasSubstr("2 ranks, expected the 151643")));
  write_text_file(folder_ / "tokenizer.model", "IQ== 0\nIg== 1\n");
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("tokenizer.model"), HasSubstr("expected the 128000 of LLaMA-3")));
  write_text_file(folder_ / "tokenizer.model", "garbage");
  EXPECT_THAT(refusal(), HasSubstr("not a sentencepiece model"));
  fs::copy(example_model() / "tokenizer.model", folder_ / "tokenizer.model",
           fs::copy_options::overwrite_existing);
  EXPECT_EQ(open_tokenizer(folder_)->vocab_size(), 4096U);
}

TEST_F(TokenizerTest, BosAndEosComeFromTheFilesBesideTheTokenizer) {
  fs::copy(BTC_SOURCE_DIR "/tests/golden/tokenizers/llama3_like/tokenizer.json",
           folder_ / "tokenizer.json");
  const auto bos = open_tokenizer(folder_)->id_of("<|begin_of_text|>");
  ASSERT_TRUE(bos.has_value());
  EXPECT_EQ(open_tokenizer(folder_)->bos_id(), bos);  // the post-processor's
  EXPECT_TRUE(open_tokenizer(folder_)->eos_ids().empty());
  write_text_file(folder_ / "tokenizer_config.json",
                  R"({"bos_token": "<|eot_id|>", "eos_token": {"content": "<|end_of_text|>"}})");
  EXPECT_EQ(open_tokenizer(folder_)->bos_id(), bos);
  EXPECT_THAT(open_tokenizer(folder_)->eos_ids(), ElementsAre(*bos + 1));
  write_text_file(folder_ / "tokenizer_config.json",
                  R"({"add_bos_token": true, "bos_token": "<|eot_id|>"})");
  EXPECT_EQ(open_tokenizer(folder_)->bos_id(), bos) << "the post-processor decides";
  write_text_file(folder_ / "tokenizer_config.json",
                  R"({"add_bos_token": false, "add_eos_token": true})");
  EXPECT_EQ(open_tokenizer(folder_)->bos_id(), bos);
  write_text_file(folder_ / "config.json", R"({"eos_token_id": 7})");
  EXPECT_THAT(open_tokenizer(folder_)->eos_ids(), ElementsAre(7));
  write_text_file(folder_ / "generation_config.json", R"({"eos_token_id": [8, 9]})");
  EXPECT_THAT(open_tokenizer(folder_)->eos_ids(), ElementsAre(8, 9));
  write_text_file(folder_ / "generation_config.json", R"({"eos_token_id": "8"})");
  EXPECT_THAT(refusal(),
              HasSubstr("generation_config.json: eos_token_id: expected a whole number"));
}

TEST_F(TokenizerTest, WithoutATemplateTokenizerJsonHasNoBos) {
  fs::copy(BTC_SOURCE_DIR "/tests/golden/tokenizers/qwen2_like/tokenizer.json",
           folder_ / "tokenizer.json");
  EXPECT_FALSE(open_tokenizer(folder_)->bos_id().has_value());
  write_text_file(folder_ / "tokenizer_config.json",
                  R"({"add_bos_token": true, "bos_token": "<|im_start|>"})");
  EXPECT_FALSE(open_tokenizer(folder_)->bos_id().has_value());
}

TEST_F(TokenizerTest, SentencepieceFollowsTheSettings) {
  fs::copy(example_model() / "tokenizer.model", folder_ / "tokenizer.model");
  EXPECT_EQ(open_tokenizer(folder_)->bos_id(), 1);
  write_text_file(folder_ / "tokenizer_config.json",
                  R"({"add_bos_token": true, "bos_token": "</s>"})");
  EXPECT_EQ(open_tokenizer(folder_)->bos_id(), 2);
  write_text_file(folder_ / "tokenizer_config.json", R"({"add_bos_token": false})");
  EXPECT_FALSE(open_tokenizer(folder_)->bos_id().has_value());
  write_text_file(folder_ / "tokenizer_config.json", R"({"add_eos_token": true})");
  EXPECT_THAT(refusal(), HasSubstr("add_eos_token: an EOS behind every text is not supported"));
}

TEST(ChooseBos, OneThatIsAskedForMustExist) {
  TokenizerSettings settings;
  settings.add_bos = true;
  EXPECT_EQ(choose_bos(settings, std::nullopt, 5, "folder"), 5);
  EXPECT_EQ(choose_bos(settings, 6, 5, "folder"), 6);
  try {
    choose_bos(settings, std::nullopt, std::nullopt, "folder");
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("add_bos_token is true, but the tokenizer has no bos_token"));
  }
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
