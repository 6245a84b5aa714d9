#include "tokenizer/tokenizer_json.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "io/atomic_file.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A vocabulary of characters with one merge.
json small_document() {
  return json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [{"id": 4, "content": "<s>", "single_word": false, "lstrip": false,
                      "rstrip": false, "normalized": false, "special": true}],
    "normalizer": null, "pre_tokenizer": null, "post_processor": null,
    "decoder": {"type": "Fuse"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, " ": 3}, "merges": ["a b"]}})");
}

class TokenizerJson : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  std::unique_ptr<Tokenizer> open(const json& document) {
    write_text_file(folder_ / "tokenizer.json", document.dump());
    return open_tokenizer_json(folder_ / "tokenizer.json", {});
  }
  std::string refusal_of_text(std::string_view text) {
    write_text_file(folder_ / "tokenizer.json", text);
    try {
      open_tokenizer_json(folder_ / "tokenizer.json", {});
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  }
  /// Of the small document with one value replaced.
  std::string refusal(const char* pointer, const json& value) {
    json document = small_document();
    document[json::json_pointer(pointer)] = value;
    return refusal_of_text(document.dump());
  }
  fs::path folder_ = fs::temp_directory_path() / concat("btc-tokenizer-json-", ::getpid());
};

TEST_F(TokenizerJson, ASmallOneEncodes) {
  const auto tokenizer = open(small_document());
  EXPECT_THAT(tokenizer->encode("ab ba<s>"), ElementsAre(2, 3, 1, 0));
  EXPECT_THAT(tokenizer->encode_prompt("<s>ab"), ElementsAre(4, 2));
  EXPECT_EQ(tokenizer->decode({4, 2, 3, 0}), "ab a");
  EXPECT_EQ(tokenizer->vocab_size(), 5U);
  EXPECT_FALSE(tokenizer->bos_id().has_value());
}

TEST_F(TokenizerJson, ADecoderMayBeAbsent) {
  json document = small_document();
  document.erase("decoder");
  EXPECT_EQ(open(document)->decode({2, 1}), "ab b");
  document["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
  document["model"]["vocab"] = {{"a", 0}, {"b", 1}, {"ab", 2}, {"\u0120", 3}};
  EXPECT_EQ(open(document)->decode({2, 3, 1}), "ab b");
}

TEST_F(TokenizerJson, AnAddedTokenDecodesToTheTextThatWasMatched) {
  json document = small_document();
  document["normalizer"] = json::parse(
      R"({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "_"},
          {"type": "Replace", "pattern": {"String": " "}, "content": "_"}]})");
  document["decoder"] = json::parse(
      R"({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "_"},
          "content": " "}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1,
          "stop": 0}]})");
  document["model"]["vocab"]["_"] = 3;
  document["model"]["vocab"].erase(" ");
  document["added_tokens"].push_back(
      {{"id", 5}, {"content", "<x>"}, {"normalized", true}, {"special", false}});
  const auto tokenizer = open(document);
  EXPECT_THAT(tokenizer->encode("b <x>a"), ElementsAre(3, 1, 5, 0));
  EXPECT_EQ(tokenizer->decode({3, 1, 5, 0}), "b <x>a");
}

TEST_F(TokenizerJson, MergesMayBePairs) {
  json document = small_document();
  document["model"]["merges"] = json::parse(R"([["a", "b"], ["ab", " "]])");
  document["model"]["vocab"]["ab "] = 5;
  EXPECT_THAT(open(document)->encode("ab ab"), ElementsAre(5, 2));
}

TEST_F(TokenizerJson, WhatIsNotSupportedIsRefusedByName) {
  const json none = {{"type", "Nonsense"}};
  EXPECT_THAT(refusal("/model/type", "WordPiece"),
              HasSubstr("tokenizer.json: model.type: the model WordPiece is not supported"));
  EXPECT_THAT(refusal("/normalizer", none), HasSubstr("normalizer: the normalizer Nonsense"));
  EXPECT_THAT(refusal("/pre_tokenizer", none), HasSubstr("the pre-tokenizer Nonsense"));
  EXPECT_THAT(refusal("/decoder", none), HasSubstr("the decoder Nonsense"));
  EXPECT_THAT(refusal("/post_processor", none), HasSubstr("the post-processor Nonsense"));
  EXPECT_THAT(refusal("/pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {none}}}),
              HasSubstr("pre_tokenizer.pretokenizers[0]: the pre-tokenizer Nonsense"));
  EXPECT_THAT(refusal("/model/dropout", 0.1), HasSubstr("model.dropout: dropout is not supported"));
  EXPECT_THAT(refusal("/model/continuing_subword_prefix", "##"), HasSubstr("affix"));
  EXPECT_THAT(refusal("/model/end_of_word_suffix", "</w>"), HasSubstr("affix"));
  EXPECT_THAT(refusal("/model/speed", 1), HasSubstr("model: the field speed is not supported"));
  EXPECT_THAT(refusal("/speed", 1), HasSubstr("the field speed is not supported"));
  EXPECT_THAT(refusal("/added_tokens/0/single_word", true),
              HasSubstr("added_tokens[0]: single_word is not supported"));
  EXPECT_THAT(refusal("/normalizer",
                      {{"type", "Replace"}, {"pattern", {{"Regex", " +"}}}, {"content", " "}}),
              HasSubstr("normalizer.pattern: the field Regex is not supported"));
  EXPECT_THAT(refusal("/pre_tokenizer", {{"type", "ByteLevel"}}),
              HasSubstr("must both be of type ByteLevel, or neither"));
  EXPECT_THAT(refusal("/pre_tokenizer",
                      {{"type", "Sequence"},
                       {"pretokenizers", {{{"type", "ByteLevel"}}, {{"type", "Metaspace"}}}}}),
              HasSubstr("pretokenizers[1]: the pre-tokenizer Metaspace may not follow ByteLevel"));
}

TEST_F(TokenizerJson, ABosComesFromTheTemplate) {
  json document = small_document();
  document["post_processor"] = json::parse(R"({"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [4], "tokens": ["<s>"]}}})");
  EXPECT_EQ(open(document)->bos_id(), 4);
  std::swap(document["post_processor"]["single"][0], document["post_processor"]["single"][1]);
  EXPECT_THAT(refusal("/post_processor", document["post_processor"]),
              HasSubstr("only one token in front of the text is supported, found <s>"));
}

TEST_F(TokenizerJson, DamageIsNamedByEntry) {
  EXPECT_THAT(refusal_of_text("{"), AllOf(HasSubstr("tokenizer.json"), HasSubstr("not JSON")));
  EXPECT_THAT(refusal_of_text("[]"), HasSubstr("expected a JSON object"));
  EXPECT_THAT(refusal_of_text("{}"), HasSubstr("tokenizer.json: no field model"));
  EXPECT_THAT(refusal("/model/vocab", json::object()),
              HasSubstr("model.vocab: expected an object"));
  EXPECT_THAT(refusal("/model/vocab/b", 0),
              HasSubstr("model.vocab: the id 0 belongs to 'a' and to"));
  EXPECT_THAT(refusal("/model/vocab/b", -1),
              HasSubstr("model.vocab['b']: expected a whole number"));
  EXPECT_THAT(refusal("/model/vocab/b", 3000000000), HasSubstr("model.vocab['b']"));
  EXPECT_THAT(refusal("/model/merges", {"a b", "a"}), HasSubstr("model.merges[1]: expected two"));
  EXPECT_THAT(refusal("/model/merges", {"a b c"}), HasSubstr("model.merges[0]: expected two"));
  EXPECT_THAT(refusal("/model/merges", {"a x"}),
              HasSubstr("model.merges[0]: 'x' is not in the vocabulary"));
  EXPECT_THAT(refusal("/model/merges", {"b a"}), HasSubstr("'ba' is not in the vocabulary"));
  EXPECT_THAT(refusal("/model/merges", json::parse(R"([["a", "b", "c"]])")),
              HasSubstr("expected two tokens, found 3"));
  EXPECT_THAT(refusal("/model/merges", json::parse(R"([["a", 1]])")),
              HasSubstr("model.merges[0][1]: expected a text, found 1"));
  EXPECT_THAT(refusal("/model/unk_token", "<u>"), HasSubstr("model.unk_token: '<u>' is not in"));
  EXPECT_THAT(refusal("/model/byte_fallback", true),
              HasSubstr("model.byte_fallback: '<0x00>' is not in the vocabulary"));
  EXPECT_THAT(refusal("/added_tokens/0/id", 2), HasSubstr("the id 2 of the added token '<s>'"));
  EXPECT_THAT(refusal("/added_tokens/0/content", "a"),
              HasSubstr("added_tokens[0]: id 4, but the vocabulary gives 'a' the id 0"));
}

}  // namespace
}  // namespace btc
