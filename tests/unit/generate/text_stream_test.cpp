#include "generate/text_stream.hpp"

#include <gmock/gmock.h>

#include <string>

#include "tokenizer/unicode.hpp"

namespace btc {
namespace {

/// Ids are bytes, as byte-level BPE has them: an id may be a part of a character.
class ByteTokenizer final : public Tokenizer {
 public:
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    for (const char c : text) {
      ids.push_back(static_cast<unsigned char>(c));
    }
    return ids;
  }
  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override {
    std::string text;
    for (const std::int32_t id : ids) {
      text += static_cast<char>(id);
    }
    return text;
  }
  [[nodiscard]] std::size_t vocab_size() const override { return 256; }
  [[nodiscard]] std::optional<std::int32_t> bos_id() const override { return {}; }
  [[nodiscard]] const std::string& file_sha256() const override { return none_; }

 private:
  std::string none_;
};

constexpr const char* kText = "a \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xE6\x97\xA5\xE6\x9C\xAC.";

TEST(IncompleteTail, IsWhatBeginsACharacterWithoutEndingIt) {
  EXPECT_EQ(incomplete_tail(""), 0U);
  EXPECT_EQ(incomplete_tail("abc"), 0U);
  EXPECT_EQ(incomplete_tail("a\xC3"), 1U);
  EXPECT_EQ(incomplete_tail("a\xC3\xA9"), 0U);
  EXPECT_EQ(incomplete_tail("\xE2\x82"), 2U);
  EXPECT_EQ(incomplete_tail("\xE2\x82\xAC"), 0U);
  EXPECT_EQ(incomplete_tail("x\xF0\x9F\x98"), 3U);
  EXPECT_EQ(incomplete_tail("\xF0\x9F\x98\x80"), 0U);
  EXPECT_EQ(incomplete_tail("\x80\x80"), 0U) << "nothing that could go on";
}

TEST(TextStream, GivesWholeCharactersOnly) {
  const ByteTokenizer tokenizer;
  TextStream stream(tokenizer, {});
  std::string text;
  for (const std::int32_t id : tokenizer.encode(kText)) {
    const std::string piece = stream.push(id);
    EXPECT_EQ(incomplete_tail(piece), 0U);
    EXPECT_TRUE(piece.empty() || (static_cast<unsigned char>(piece[0]) & 0xC0U) != 0x80U);
    text += piece;
  }
  EXPECT_EQ(text + stream.finish(), kText);
}

TEST(TextStream, MarksACharacterThatNeverEnds) {
  const ByteTokenizer tokenizer;
  TextStream stream(tokenizer, tokenizer.encode("go on"));
  EXPECT_EQ(stream.push('!'), "!");
  EXPECT_EQ(stream.push(0xF0), "");
  EXPECT_EQ(stream.push(0x9F), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.finish(), "");
}

TEST(TextStream, GivesUtf8WhateverTheBytes) {
  const ByteTokenizer tokenizer;
  TextStream stream(tokenizer, tokenizer.encode("go on"));
  std::string text;
  for (const std::int32_t id : {0xE5, 0xE4, int{'r'}, 0x80, 0xFF, int{'y'}, 0xF0, 0x9F}) {
    text += stream.push(id);
    EXPECT_FALSE(find_invalid_utf8(text).has_value()) << ::testing::PrintToString(text);
  }
  EXPECT_EQ(text, "\xEF\xBF\xBD\xEF\xBF\xBDr\xEF\xBF\xBD\xEF\xBF\xBDy");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
}

class ExampleStream : public ::testing::Test {
 protected:
  std::unique_ptr<Tokenizer> tokenizer_ = open_tokenizer(BTC_SOURCE_DIR "/examples/wiki-llama-7m");

  /// The text after a prompt, streamed.
  [[nodiscard]] std::string streamed(const std::string& prompt, const std::string& rest) const {
    const std::vector<std::int32_t> all = tokenizer_->encode(prompt + rest);
    const std::vector<std::int32_t> first = tokenizer_->encode(prompt);
    EXPECT_TRUE(std::equal(first.begin(), first.end(), all.begin())) << "cut inside a token";
    TextStream stream(*tokenizer_, first);
    std::string text;
    for (std::size_t i = first.size(); i < all.size(); ++i) {
      text += stream.push(all[i]);
    }
    return text + stream.finish();
  }
};

TEST_F(ExampleStream, KeepsTheSpacesBetweenWords) {
  EXPECT_EQ(streamed("", "The tower was built in 1898."), "The tower was built in 1898.");
  EXPECT_EQ(streamed("The tower", " was built in 1898 ."), " was built in 1898 .");
}

TEST_F(ExampleStream, JoinsCharactersThatFallBackToBytes) {
  const std::string rest = std::string(" ") + kText + " end";
  EXPECT_GT(tokenizer_->encode(kText).size(), 12U) << "no fallback to bytes";
  EXPECT_EQ(streamed("It is", rest), rest);
}

TEST_F(ExampleStream, EndsInTheMiddleOfACharacter) {
  std::vector<std::int32_t> ids = tokenizer_->encode("x\xF0\x9F\x98\x80");
  ids.pop_back();
  TextStream stream(*tokenizer_, {});
  std::string text;
  for (const std::int32_t id : ids) {
    text += stream.push(id);
  }
  EXPECT_EQ(text, "x");
  text += stream.finish();
  EXPECT_THAT(text, ::testing::StartsWith("x\xEF\xBF\xBD"));
  EXPECT_EQ(incomplete_tail(text), 0U);
}

}  // namespace
}  // namespace btc
