#include "tokenizer/rank_file.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "common/error.hpp"
#include "io/atomic_file.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t k = i; k < i + 3; ++k) {
      bits = (bits << 8U) | (k < bytes.size() ? static_cast<unsigned char>(bytes[k]) : 0U);
    }
    for (unsigned k = 0; k < 4; ++k) {
      const bool padding = i + k > bytes.size();
      text += padding ? '=' : kDigits[(bits >> (18U - 6U * k)) & 63U];
    }
  }
  return text;
}

class RankFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / concat("btc-rank-file-", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(std::string_view text) {
    write_text_file(folder_ / "ranks", text);
    return folder_ / "ranks";
  }
  /// All single bytes, then these tokens.
  fs::path write_ranks(const std::vector<std::string>& tokens) {
    std::string text;
    int rank = 0;
    for (int byte = 0; byte < 256; ++byte) {
      text += concat(base64(std::string(1, static_cast<char>(byte))), " ", rank++, "\n");
    }
    for (const std::string& token : tokens) {
      text += concat(base64(token), " ", rank++, "\n");
    }
    return write(text);
  }
  std::string refusal(std::string_view text) {
    try {
      read_ranks(write(text));
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  }
  fs::path folder_;
};

/// Qwen's way of cutting with a vocabulary of `ranks`.
RankFamily small_family(std::size_t ranks) {
  RankFamily family = qwen_family();
  family.ranks = ranks;
  return family;
}

TEST_F(RankFile, IsToldByItsFirstLine) {
  EXPECT_TRUE(is_rank_list(write("IQ== 0\nIg== 1\n")));
  EXPECT_TRUE(is_rank_list(write("IQ== 0\r\n")));
  for (const char* other :
       {"", "IQ==\n", "IQ= 0\n", "IQ== zero\n", "I*== 0\n", " 0\n", "{\"a\": 1}"}) {
    EXPECT_FALSE(is_rank_list(write(other))) << other;
  }
}

TEST_F(RankFile, ADirectoryInItsPlaceIsNamed) {
  const auto folder = fs::temp_directory_path();
  try {
    is_rank_list(folder);
    FAIL() << "accepted";
  } catch (const IoError& error) {
    EXPECT_EQ(std::string(error.what()),
              concat(folder.string(), ": is a directory, expected a file"));
  }
}

TEST_F(RankFile, DamageIsNamedByLine) {
  EXPECT_EQ(refusal("IQ== 0\nIg== 1\n"), "accepted");
  EXPECT_EQ(refusal("IQ== 0\r\nIg== 1"), "accepted");
  EXPECT_THAT(refusal("IQ== 0\nIg=\n"), HasSubstr("ranks: line 2: expected a token in base64"));
  EXPECT_THAT(refusal("IQ== 0\n\nIg== 1\n"), HasSubstr("line 2: expected"));
  EXPECT_THAT(refusal("IQ== 0\nIg== -1\n"), HasSubstr("line 2: expected"));
  EXPECT_THAT(refusal("IQ== 0\nIg== 1 2\n"), HasSubstr("line 2: expected"));
  EXPECT_THAT(refusal("IQ== 0\nIg== 99999999999\n"), HasSubstr("line 2: expected"));
  EXPECT_THAT(refusal("IQ== 0\nIQ== 1\n"), HasSubstr("line 2: the token occurs twice"));
  EXPECT_THAT(refusal("IQ== 0\nIg== 0\n"), HasSubstr("line 2: the rank 0 occurs twice"));
}

TEST_F(RankFile, AListOfAnotherLengthThanItsFamilysIsRefused) {
  const fs::path file = write_ranks({"ab"});
  EXPECT_NO_THROW(open_rank_tokenizer(file, small_family(257), {}));
  EXPECT_THROW(open_rank_tokenizer(file, small_family(258), {}), InputError);
  write("IQ== 0\nIg== 1\n");
  try {
    open_rank_tokenizer(file, small_family(2), {});
    FAIL() << "a list without the byte 0 was accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no token for the byte 0"));
  }
  write("IQ== 0\nIg== 2\n");
  EXPECT_THROW(open_rank_tokenizer(file, small_family(2), {}), InputError);
}

TEST_F(RankFile, LowRanksMergeFirstAndWholePiecesAreTaken) {
  // "bc" before "ab": a b c -> a bc. "abcd" can be reached by no merge: only as a whole piece.
  const auto tokenizer =
      open_rank_tokenizer(write_ranks({"bc", "ab", "abcd"}), small_family(259), {});
  EXPECT_THAT(tokenizer->encode("abc"), ElementsAre('a', 256));
  EXPECT_THAT(tokenizer->encode("ab"), ElementsAre(257));
  EXPECT_THAT(tokenizer->encode("abcd"), ElementsAre(258));
  EXPECT_THAT(tokenizer->encode("abcde"), ElementsAre('a', 256, 'd', 'e'));
}

TEST_F(RankFile, QwenTextsAreComposedFirst) {
  const auto tokenizer = open_rank_tokenizer(write_ranks({}), small_family(256), {});
  EXPECT_THAT(tokenizer->encode("e\xCC\x81"), ElementsAre(0xC3, 0xA9));
}

TEST_F(RankFile, SpecialTokensFollowTheRanks) {
  const fs::path file = write_ranks({});
  const auto tokenizer = open_rank_tokenizer(file, small_family(256), {});
  EXPECT_EQ(tokenizer->vocab_size(), 259U);
  EXPECT_EQ(tokenizer->id_of("<|im_end|>"), 258);
  EXPECT_FALSE(tokenizer->bos_id().has_value());
  EXPECT_THAT(tokenizer->eos_ids(), ElementsAre(256, 258));
  EXPECT_EQ(tokenizer->encode("<|im_end|>").size(), 10U);
  EXPECT_THAT(tokenizer->encode_prompt("a<|im_end|>b"), ElementsAre('a', 258, 'b'));
  EXPECT_EQ(tokenizer->decode({'a', 258, 'b'}), "ab");
  EXPECT_THROW((void)tokenizer->decode({259}), InputError);
  TokenizerSettings settings;
  settings.added_tokens = {{.id = 256, .content = "<|one|>"}, {.id = 260, .content = "<|two|>"}};
  const auto renamed = open_rank_tokenizer(file, small_family(256), settings);
  EXPECT_EQ(renamed->id_of("<|two|>"), 260);
  EXPECT_EQ(renamed->id_of("<|im_end|>"), std::nullopt);
  EXPECT_EQ(renamed->vocab_size(), 261U);
}

TEST_F(RankFile, ATextMustBeUtf8) {
  const auto tokenizer = open_rank_tokenizer(write_ranks({}), small_family(256), {});
  try {
    (void)tokenizer->encode("ok \xC3(");
    FAIL() << "half a character was accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("byte 3 is not valid UTF-8"));
  }
}

TEST(RankFamilies, Llama3HasTheReservedTokensInPlace) {
  const RankFamily family = llama3_family();
  ASSERT_EQ(family.special_tokens.size(), 256U);
  EXPECT_EQ(family.special_tokens[0], "<|begin_of_text|>");
  EXPECT_EQ(family.special_tokens[6], "<|start_header_id|>");
  EXPECT_EQ(family.special_tokens[9], "<|eot_id|>");
  EXPECT_EQ(family.special_tokens[255], "<|reserved_special_token_250|>");
}

}  // namespace
}  // namespace btc
