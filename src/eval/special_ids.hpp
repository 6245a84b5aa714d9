#pragma once
/// Ids of a model that stand for no text.

#include <cstdint>
#include <filesystem>
#include <optional>

#include "eval/add_bos.hpp"
#include "model/tokenizer.hpp"

namespace btc {

struct SpecialIds {
  std::optional<std::int32_t> bos{};
  bool adds_bos = false;                 ///< the tokenizer puts `bos` in front of a text by itself
  std::optional<std::int32_t> prefix{};  ///< what an empty context becomes: BOS, else EOS
};

/// From the tokenizer and, where it adds no BOS itself, the files of its directory: BOS is
/// `bos_token_id` of config.json unless tokenizer_config.json states no `bos_token`, EOS is
/// `eos_token_id` (the first, if there are several).
/// @throws InputError for a file that is not a JSON object, or a field of another type
SpecialIds read_special_ids(const Tokenizer& tokenizer, const std::filesystem::path& directory);

/// The id to put in front of every text, or nullopt.
/// @throws InputError if BOS is asked for and there is none
std::optional<std::int32_t> leading_id(const SpecialIds& ids, AddBos add_bos);

}  // namespace btc
