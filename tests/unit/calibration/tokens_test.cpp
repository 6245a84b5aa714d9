#include "calibration/tokens.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <numeric>
#include <set>
#include <span>

#include "common/error.hpp"
#include "common/hash.hpp"
#include "io/atomic_file.hpp"
#include "support/thrown_by.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

fs::path data_folder() { return BTC_SOURCE_DIR "/../shared/data"; }
fs::path example_model() { return BTC_SOURCE_DIR "/examples/wiki-llama-7m"; }

class Tokens : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / concat("btc-tokens-", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path write(std::string_view text) {
    write_text_file(folder_ / "text.txt", text);
    return folder_ / "text.txt";
  }
  fs::path folder_;
};

TEST_F(Tokens, RowsAreJoinedByABlankLineAndBlankRowsAreEmpty) {
  EXPECT_EQ(join_wikitext(" \n = A = \n \n b c\n"), "\n\n = A = \n\n\n\n\n b c\n");
  EXPECT_EQ(join_wikitext("a"), "a");  // no LF at the end: the row has none
  EXPECT_EQ(join_wikitext("a\r\nb\r"), "a\r\n\n\nb\r");
  EXPECT_EQ(join_wikitext(""), "");
}

TEST_F(Tokens, ARowOfUnicodeWhiteSpaceIsBlank) {
  for (const char* blank : {"\x1c", "\x1f", "\v\f\t\r ", "\xC2\x85", "\xC2\xA0", "\xE1\x9A\x80",
                            "\xE2\x80\x80", "\xE2\x80\xA9", "\xE3\x80\x80 \xE2\x81\x9F"}) {
    EXPECT_EQ(join_wikitext(concat("x\n", blank, "\ny")), "x\n\n\n\n\ny") << blank;
  }
  // Zero-width space, a lone lead byte, a cut sequence, a letter, escape.
  for (const char* text : {"\xE2\x80\x8B", "\xC2", "\xE2\x80", "\xC3\xA9", "\x1b"}) {
    EXPECT_EQ(join_wikitext(concat(text, "\ny")), concat(text, "\n\n\ny")) << text;
  }
}

TEST_F(Tokens, JoinIsChosenByTheLookOfTheText) {
  const auto tokenizer = open_tokenizer(example_model());
  const auto wiki = write(" \n = A title = \n \n Some words . \n");
  EXPECT_EQ(tokenize_file(*tokenizer, wiki, TextJoin::kAuto).join, "wikitext");
  EXPECT_EQ(tokenize_file(*tokenizer, wiki, TextJoin::kVerbatim).join, "verbatim");
  const auto plain = write("= Not a title\nSome words.\n");
  const TokenizedText text = tokenize_file(*tokenizer, plain, TextJoin::kAuto);
  EXPECT_EQ(text.join, "verbatim");
  EXPECT_EQ(text.rows, 2U);
  EXPECT_EQ(text.text_bytes, 26U);
  EXPECT_EQ(text.text_sha256, sha256_hex("= Not a title\nSome words.\n"));
  EXPECT_EQ(tokenize_file(*tokenizer, plain, TextJoin::kWikitext).join, "wikitext");
}

TEST_F(Tokens, DocumentsOfAC4FileAreJoinedByASpace) {
  const auto tokenizer = open_tokenizer(example_model());
  const auto file = write(R"({"text": "One\nline.", "url": "a"})"
                          "\n\n"
                          R"({"timestamp": 3, "text": "Two \u00e9"})"
                          "\r\n");
  const TokenizedText text = tokenize_file(*tokenizer, file, TextJoin::kC4);
  EXPECT_EQ(text.join, "c4");
  EXPECT_EQ(text.rows, 2U);
  EXPECT_EQ(text.text_sha256, sha256_hex("One\nline. Two \u00e9"));
  const std::vector<std::int32_t> rest(text.ids.begin() + 1, text.ids.end());
  EXPECT_EQ(rest, tokenizer->encode("One\nline. Two \u00e9"));
  EXPECT_EQ(tokenize_file(*tokenizer, file, TextJoin::kAuto).join, "verbatim")
      << "only if asked for";
}

TEST_F(Tokens, AMalformedRowOfAC4FileIsNamed) {
  const auto tokenizer = open_tokenizer(example_model());
  for (const char* row :
       {"{\"text\": 3}", "{\"url\": \"a\"}", "[\"a\"]", "{\"text\": \"a\"", "word"}) {
    const auto file = write(concat("{\"text\": \"good\"}\n", row, "\n"));
    EXPECT_THAT(
        test::thrown_by<InputError>([&] { (void)tokenize_file(*tokenizer, file, TextJoin::kC4); }),
        HasSubstr(concat(file.string(), ": line 2")))
        << row;
  }
  EXPECT_THAT(test::thrown_by<InputError>(
                  [&] { (void)tokenize_file(*tokenizer, write("\n \n"), TextJoin::kC4); }),
              HasSubstr("no row"));
}

TEST_F(Tokens, ATextMustBeUtf8WhateverTheTokenizer) {
  const auto tokenizer = open_tokenizer(example_model());
  try {
    tokenize_file(*tokenizer, write("one\ntwo \xE2\x82 three\n"), TextJoin::kAuto);
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()),
              concat((folder_ / "text.txt").string(), ": line 2: byte 4 is not valid UTF-8"));
  }
}

TEST_F(Tokens, BosStandsOnceAtTheStart) {
  const auto tokenizer = open_tokenizer(example_model());
  const TokenizedText text = tokenize_file(*tokenizer, write("one\ntwo\n"), TextJoin::kVerbatim);
  ASSERT_TRUE(text.add_bos);
  EXPECT_EQ(text.ids.front(), 1);
  const std::vector<std::int32_t> rest(text.ids.begin() + 1, text.ids.end());
  EXPECT_EQ(rest, tokenizer->encode("one\ntwo\n"));
  EXPECT_THROW(tokenize_file(*tokenizer, write(""), TextJoin::kAuto), InputError);
}

TEST_F(Tokens, WikiText2GivesThePublishedIds) {
  const fs::path file = data_folder() / "wikitext2/wiki.test.raw";
  if (!fs::exists(file)) {
    GTEST_SKIP() << "no file " << file;
  }
  const auto tokenizer = open_tokenizer(data_folder() / "tokenizers/llama1_2");
  const TokenizedText text = tokenize_file(*tokenizer, file, TextJoin::kAuto);
  EXPECT_EQ(text.join, "wikitext");
  EXPECT_EQ(text.rows, 4358U);
  EXPECT_EQ(text.text_bytes, 1296370U);
  EXPECT_EQ(text.text_sha256, "696cca6b65a171b0a358a4be6732cdfdf2dd6164a32e20fd70e3c13fc4dfae83");
  EXPECT_EQ(text.ids.size(), 341469U);
  EXPECT_EQ(expected_ids(text), 341469U);
  Sha256 sha;
  sha.update(std::as_bytes(std::span(text.ids)));
  EXPECT_EQ(sha.finish(), "9b69cd50dbe9e29f2d40f999f103fbe4b0ff014ec4f9fdae094c687ca1af6f92");
  EXPECT_EQ(cut_windows(text.ids, 2048).rows(), 166U);
}

/// Says of every text that it is one token.
class OneIdTokenizer final : public Tokenizer {
 public:
  explicit OneIdTokenizer(const Tokenizer& real) : sha256_(real.file_sha256()) {}
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view /*text*/) const override {
    return {7};
  }
  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& /*ids*/) const override {
    return "";
  }
  [[nodiscard]] std::size_t vocab_size() const override { return 32000; }
  [[nodiscard]] std::optional<std::int32_t> bos_id() const override { return 1; }
  [[nodiscard]] const std::string& file_sha256() const override { return sha256_; }

 private:
  std::string sha256_;
};

TEST_F(Tokens, AWrongCountForAKnownTextIsRefused) {
  const fs::path file = data_folder() / "wikitext2/wiki.test.raw";
  if (!fs::exists(file)) {
    GTEST_SKIP() << "no file " << file;
  }
  const OneIdTokenizer tokenizer(*open_tokenizer(data_folder() / "tokenizers/llama1_2"));
  EXPECT_NO_THROW(tokenize_file(tokenizer, file, TextJoin::kVerbatim));
  try {
    tokenize_file(tokenizer, file, TextJoin::kWikitext);
    FAIL() << "2 ids were accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("2 ids, but this text gives 341469"));
  }
}

TEST_F(Tokens, IdsMustBeRowsOfTheEmbedding) {
  const std::vector<std::int32_t> ids = {0, 5, 2};
  EXPECT_NO_THROW(check_ids(ids, 6, "text"));
  EXPECT_NO_THROW(check_ids(ids, 1000, "text"));  // padded rows
  EXPECT_THROW(check_ids({}, 6, "text"), FormatError);
  try {
    check_ids(ids, 5, "text");
    FAIL() << "an id past the embedding was accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("text: id 5 at position 1, expected 0 to 4"));
  }
}

TEST_F(Tokens, WindowsAreCutInOrderAndTheTailIsDropped) {
  const std::vector<std::int32_t> ids = {5, 6, 7, 8, 9, 10, 11};
  const Matrix<std::int32_t> windows = cut_windows(ids, 3);
  EXPECT_EQ(windows.rows(), 2U);
  EXPECT_THAT(windows.values(), ElementsAre(5, 6, 7, 8, 9, 10));
  EXPECT_EQ(cut_windows(ids, 7).rows(), 1U);
  EXPECT_THROW(cut_windows(ids, 8), InputError);
  EXPECT_THROW(cut_windows(ids, 0), InputError);
}

TEST_F(Tokens, SampledWindowsAreSeededPiecesOfTheText) {
  std::vector<std::int32_t> ids(50);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<std::int32_t>(i);
  }
  const Matrix<std::int32_t> windows = sample_windows(ids, 400, 8, 3);
  EXPECT_EQ(windows, sample_windows(ids, 400, 8, 3));
  EXPECT_NE(windows, sample_windows(ids, 400, 8, 4));
  std::set<std::int32_t> starts;
  for (std::size_t s = 0; s < windows.rows(); ++s) {
    starts.insert(windows(s, 0));
    for (std::size_t t = 1; t < 8; ++t) {
      ASSERT_EQ(windows(s, t), windows(s, 0) + static_cast<std::int32_t>(t));
    }
  }
  EXPECT_EQ(*starts.begin(), 0);  // the first and the last start are possible
  EXPECT_EQ(*starts.rbegin(), 42);
  EXPECT_THROW(sample_windows(ids, 1, 51, 3), InputError);
}

TEST_F(Tokens, SampledWindowsDoNotOverlapAsLongAsTheTextLasts) {
  std::vector<std::int32_t> ids(50);
  std::iota(ids.begin(), ids.end(), 0);
  std::set<std::int32_t> first_offsets;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Matrix<std::int32_t> windows = sample_windows(ids, 6, 8, seed);
    const std::set<std::int32_t> different(windows.values().begin(), windows.values().end());
    EXPECT_EQ(different.size(), 48U) << "seed " << seed;
    EXPECT_EQ(sample_windows(ids, 2, 8, seed).row(1)[7], windows(1, 7)) << "fewer are a part";
    first_offsets.insert(*different.begin());
  }
  EXPECT_THAT(first_offsets, ElementsAre(0, 1, 2));
}

}  // namespace
}  // namespace btc
