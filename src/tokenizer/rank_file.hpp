#pragma once
/// Rank lists (tiktoken): a byte-level vocabulary in which ids are the order of merging.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/bpe.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/tokenizer_settings.hpp"

namespace btc {

/// What a rank list does not say itself.
struct RankFamily {
  std::string name;
  std::size_t ranks = 0;  ///< lines of the one published list
  std::string pattern;
  bool nfc = false;
  std::vector<std::string> special_tokens;  ///< ids from `ranks` on
  std::string bos{};                        ///< empty: none
  std::vector<std::string> eos{};
};

RankFamily llama3_family();
/// With the three special tokens that all generations of Qwen share.
RankFamily qwen_family();

/// True if the file begins like a list of base64 tokens with ranks: `IQ== 0`.
/// @throws IoError if it is a directory
bool is_rank_list(const std::filesystem::path& file);

/// Reads `BASE64 RANK` lines. @throws InputError naming file and line
TokenIds read_ranks(const std::filesystem::path& file);

/// @throws InputError naming file and line, or if the list has not as many ranks as its family's
std::unique_ptr<Tokenizer> open_rank_tokenizer(const std::filesystem::path& file,
                                               const RankFamily& family,
                                               const TokenizerSettings& settings);

}  // namespace btc
