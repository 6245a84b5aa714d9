// 2,000 strings against the packages `tokenizers`, `sentencepiece` and `tiktoken`.
// @see tests/golden/make_tokenizer_goldens.py

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <thread>

#include "common/error.hpp"
#include "common/hash.hpp"
#include "io/atomic_file.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/unicode.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<std::int32_t>;

fs::path golden_folder() { return BTC_SOURCE_DIR "/tests/golden/tokenizers"; }
fs::path shared_folder() { return BTC_SOURCE_DIR "/../shared/data/tokenizers"; }

const std::vector<std::string>& strings() {
  static const auto kAll = nlohmann::json::parse(read_text_file(golden_folder() / "strings.json"))
                               .get<std::vector<std::string>>();
  return kAll;
}

const nlohmann::json& goldens() {
  static const auto kAll = nlohmann::json::parse(read_text_file(golden_folder() / "goldens.json"));
  return kAll;
}

std::string bytes_of(const Ids& ids) {
  const auto bytes = std::as_bytes(std::span(ids));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Compares record k (ids or a text) for every string with the golden of this name.
template <typename Record>
void expect_golden(const std::string& name, const std::function<Record(std::size_t)>& record) {
  const nlohmann::json& golden = goldens().at(name);
  const std::string checks = golden.at("checks");
  ASSERT_EQ(checks.size(), 4 * strings().size());
  std::string stream;
  std::size_t wrong = 0;
  for (std::size_t k = 0; k < strings().size() && wrong < 5; ++k) {
    const Record found = record(k);
    std::string bytes;
    if constexpr (std::is_same_v<Record, Ids>) {
      bytes = bytes_of(found);
    } else {
      bytes = found;
    }
    stream += bytes_of({static_cast<std::int32_t>(found.size())}) + bytes;
    const bool equal = sha256_hex(bytes).substr(0, 4) == checks.substr(4 * k, 4);
    EXPECT_TRUE(equal) << name << ": string " << k << ": " << nlohmann::json(strings()[k]).dump();
    wrong += equal ? 0 : 1;
  }
  EXPECT_EQ(sha256_hex(stream), golden.at("sha256")) << name;
}

void expect_encoded(const std::string& name, const Tokenizer& tokenizer) {
  expect_golden<Ids>(name, [&](std::size_t k) { return tokenizer.encode(strings()[k]); });
}

class SmallTokenizer : public ::testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] std::string name() const { return GetParam(); }
  std::unique_ptr<Tokenizer> tokenizer_ = open_tokenizer(golden_folder() / GetParam());
};

TEST_P(SmallTokenizer, EncodesTheStringsLikeThePackage) { expect_encoded(name(), *tokenizer_); }

TEST_P(SmallTokenizer, EncodesPromptsLikeThePackage) {
  expect_golden<Ids>(name() + "/prompt",
                     [&](std::size_t k) { return tokenizer_->encode_prompt(strings()[k]); });
}

INSTANTIATE_TEST_SUITE_P(All, SmallTokenizer,
                         ::testing::Values("llama3_like", "qwen2_like", "gpt2_like", "digits_like",
                                           "falcon_like", "llama2_like", "mistral_like",
                                           "unknown_like"));

class ByteLevelTokenizer : public SmallTokenizer {};

TEST_P(ByteLevelTokenizer, DecodesToTheTextItself) {
  expect_golden<std::string>(name() + "/decode", [&](std::size_t k) {
    std::string text = tokenizer_->decode(tokenizer_->encode(strings()[k]));
    EXPECT_EQ(text,
              name() == "qwen2_like" ? to_normal_form(strings()[k], NormalForm::kC) : strings()[k]);
    return text;
  });
}

TEST_P(ByteLevelTokenizer, DecodesEveryByteOfACutCharacter) {
  const Ids ids = tokenizer_->encode("\xF0\x9F\x98\x80");
  std::string text;
  for (const std::int32_t id : ids) {
    text += tokenizer_->decode({id});
  }
  EXPECT_GT(ids.size(), 1U);
  EXPECT_EQ(text, "\xF0\x9F\x98\x80");
}

INSTANTIATE_TEST_SUITE_P(All, ByteLevelTokenizer,
                         ::testing::Values("llama3_like", "qwen2_like", "gpt2_like",
                                           "falcon_like"));

class CharacterTokenizer : public SmallTokenizer {};

TEST_P(CharacterTokenizer, DecodesAnyIdsLikeThePackage) {
  expect_golden<std::string>(name() + "/decode", [&](std::size_t k) {
    Ids ids;
    for (std::size_t i = 0; i < k % 12; ++i) {
      ids.push_back(static_cast<std::int32_t>((k * 131 + i * 37) % tokenizer_->vocab_size()));
    }
    return tokenizer_->decode(ids);
  });
}

INSTANTIATE_TEST_SUITE_P(All, CharacterTokenizer,
                         ::testing::Values("llama2_like", "mistral_like", "unknown_like"));

TEST(GoldenStrings, TheShippedModelEncodesThemLikeSentencepiece) {
  expect_encoded("spm_wiki", *open_tokenizer(BTC_SOURCE_DIR "/examples/wiki-llama-7m"));
}

TEST(GoldenStrings, PublishedTokenizersEncodeThemLikeThePackages) {
  if (!fs::exists(shared_folder())) {
    GTEST_SKIP() << "no folder " << shared_folder();
  }
  expect_encoded("spm_llama2", *open_tokenizer(shared_folder() / "llama1_2"));
  expect_encoded("ranks_llama3", *open_tokenizer(shared_folder() / "llama3"));
  expect_encoded("ranks_qwen", *open_tokenizer(shared_folder() / "qwen"));
}

TEST(GoldenStrings, ThreadsEncodeWithOneTokenizer) {
  const auto tokenizer = open_tokenizer(golden_folder() / "llama3_like");
  const auto encode_all = [](const Tokenizer& with) {
    std::string all;
    for (const std::string& text : strings()) {
      all += bytes_of(with.encode(text));
    }
    return all;
  };
  const std::string expected = encode_all(*open_tokenizer(golden_folder() / "llama3_like"));
  std::vector<std::string> found(4);
  std::vector<std::thread> threads;
  for (std::string& result : found) {
    threads.emplace_back([&] { result = encode_all(*tokenizer); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const std::string& result : found) {
    EXPECT_EQ(result, expected);
  }
}

}  // namespace
}  // namespace btc
