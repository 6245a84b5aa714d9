#pragma once
/// Ids of a model that stand for no text.

#include <cstdint>
#include <filesystem>
#include <optional>

#include "eval/add_bos.hpp"
#include "tokenizer/tokenizer.hpp"

namespace btc {

struct SpecialIds {
  std::optional<std::int32_t> bos{};
  bool adds_bos = false;                 ///< the tokenizer puts `bos` in front of a text by itself
  std::optional<std::int32_t> prefix{};  ///< what an empty context becomes: BOS, else EOS
};

/// From the tokenizer and tokenizer_config.json beside it: BOS is the one that the tokenizer adds,
/// else `bos_token`; EOS is `eos_token`, else the first id that ends a generated text.
/// @throws InputError as `read_tokenizer_settings`
SpecialIds read_special_ids(const Tokenizer& tokenizer, const std::filesystem::path& directory);

/// The id to put in front of every text, or nullopt.
/// @throws InputError if BOS is asked for and there is none
std::optional<std::int32_t> leading_id(const SpecialIds& ids, AddBos add_bos);

}  // namespace btc
