// The published tokenizers on WikiText-2 test, from their rank lists and from the tokenizer.json
// that a conversion gives. Counts and hashes are on the page docs/evaluation.md.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>
#include <tuple>

#include "calibration/tokens.hpp"
#include "common/error.hpp"
#include "common/hash.hpp"
#include "io/atomic_file.hpp"
#include "tokenizer/byte_alphabet.hpp"
#include "tokenizer/rank_file.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kLlama3Sha256 =
    "4b56d307a99c683346f204363c860af56761895ee9f05aacb91a602386cb90e5";
constexpr const char* kQwenSha256 =
    "b44603066a92719a20e2dc18d6c5f7f5342b1877c20c1e2bdd92deca662d3d56";

fs::path data_folder() { return BTC_SOURCE_DIR "/../shared/data"; }

std::string hash_of(const std::vector<std::int32_t>& ids) {
  Sha256 sha;
  sha.update(std::as_bytes(std::span(ids)));
  return sha.finish();
}

class WikiTextIds : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(file_)) {
      GTEST_SKIP() << "no file " << file_;
    }
    folder_ = fs::temp_directory_path() / concat("btc-wikitext-ids-", ::getpid());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void expect_ids(const fs::path& model, std::size_t count, const std::string& sha256) {
    const auto tokenizer = open_tokenizer(model);
    const auto start = std::chrono::steady_clock::now();
    const TokenizedText text = tokenize_file(*tokenizer, file_, TextJoin::kAuto);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::cout << model.filename().string() << ": " << seconds.count() << " s\n";
    EXPECT_EQ(text.ids.size(), count);
    EXPECT_EQ(hash_of(text.ids), sha256);
    const std::vector<std::int32_t> plain(text.ids.begin() + (text.add_bos ? 1 : 0),
                                          text.ids.end());
    EXPECT_EQ(tokenizer->decode(plain), join_wikitext(read_text_file(file_)));
  }

  fs::path file_ = data_folder() / "wikitext2/wiki.test.raw";
  fs::path folder_;
};

TEST_F(WikiTextIds, Llama2) {
  expect_ids(data_folder() / "tokenizers/llama1_2", 341469,
             "9b69cd50dbe9e29f2d40f999f103fbe4b0ff014ec4f9fdae094c687ca1af6f92");
}
TEST_F(WikiTextIds, Llama3) {
  expect_ids(data_folder() / "tokenizers/llama3", 289077, kLlama3Sha256);
}
TEST_F(WikiTextIds, Qwen) { expect_ids(data_folder() / "tokenizers/qwen", 299078, kQwenSha256); }

TEST_F(WikiTextIds, CountsAreKnownBeforehand) {
  for (const auto& [folder, count] :
       std::vector<std::pair<std::string, std::size_t>>{{"llama3", 289077}, {"qwen", 299078}}) {
    const auto tokenizer = open_tokenizer(data_folder() / "tokenizers" / folder);
    EXPECT_EQ(expected_ids(tokenize_file(*tokenizer, file_, TextJoin::kWikitext)), count);
    EXPECT_EQ(expected_ids(tokenize_file(*tokenizer, file_, TextJoin::kVerbatim)), std::nullopt);
  }
}

/// Every way to write a token of a rank list as two others, in the order of the rank of the token.
json all_merges(const TokenIds& ids, bool as_pairs) {
  struct Split {
    std::int32_t rank;
    std::int32_t left;
    std::int32_t right;
    bool operator<(const Split& other) const {
      return std::tie(rank, left, right) < std::tie(other.rank, other.left, other.right);
    }
  };
  std::vector<Split> splits;
  std::vector<std::string> tokens(ids.size());
  const ByteAlphabet alphabet;
  for (const auto& [token, id] : ids) {
    tokens.at(static_cast<std::size_t>(id)) = alphabet.to_text(token);
    for (std::size_t at = 1; at < token.size(); ++at) {
      const auto left = ids.find(std::string_view(token).substr(0, at));
      const auto right = ids.find(std::string_view(token).substr(at));
      if (left != ids.end() && right != ids.end()) {
        splits.push_back({id, left->second, right->second});
      }
    }
  }
  std::sort(splits.begin(), splits.end());
  json merges = json::array();
  for (const Split& split : splits) {
    const std::string& left = tokens.at(static_cast<std::size_t>(split.left));
    const std::string& right = tokens.at(static_cast<std::size_t>(split.right));
    merges.push_back(as_pairs ? json({left, right}) : json(concat(left, " ", right)));
  }
  return merges;
}

/// What a conversion to the Hugging Face format writes, without special tokens but BOS.
json converted(const fs::path& ranks, const RankFamily& family, bool as_pairs) {
  const TokenIds ids = read_ranks(ranks);
  const ByteAlphabet alphabet;
  json vocabulary = json::object();
  for (const auto& [token, id] : ids) {
    vocabulary[alphabet.to_text(token)] = id;
  }
  const json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", false}};
  const json split = {{"type", "Split"},
                      {"pattern", {{"Regex", family.pattern}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  json document = {{"added_tokens", json::array()},
                   {"normalizer", family.nfc ? json({{"type", "NFC"}}) : json(nullptr)},
                   {"pre_tokenizer",
                    {{"type", "Sequence"}, {"pretokenizers", json::array({split, byte_level})}}},
                   {"decoder", byte_level},
                   {"model",
                    {{"type", "BPE"},
                     {"ignore_merges", true},
                     {"vocab", std::move(vocabulary)},
                     {"merges", all_merges(ids, as_pairs)}}}};
  if (!family.bos.empty()) {
    const auto bos = static_cast<std::int32_t>(family.ranks);
    document["added_tokens"].push_back(
        {{"id", bos}, {"content", family.bos}, {"special", true}, {"normalized", false}});
    document["post_processor"] = {
        {"type", "TemplateProcessing"},
        {"single", json::array({{{"SpecialToken", {{"id", family.bos}, {"type_id", 0}}}},
                                {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}})},
        {"pair", json::array()},
        {"special_tokens", {{family.bos, {{"id", family.bos}, {"ids", {bos}}}}}}};
  }
  return document;
}

TEST_F(WikiTextIds, ConvertedLlama3) {
  const auto document =
      converted(data_folder() / "tokenizers/llama3/tokenizer.model", llama3_family(), false);
  write_text_file(folder_ / "tokenizer.json", document.dump());
  expect_ids(folder_, 289077, kLlama3Sha256);
}

TEST_F(WikiTextIds, ConvertedQwen) {
  const auto document =
      converted(data_folder() / "tokenizers/qwen/qwen.tiktoken", qwen_family(), true);
  write_text_file(folder_ / "tokenizer.json", document.dump());
  expect_ids(folder_, 299078, kQwenSha256);
}

}  // namespace
}  // namespace btc
