#pragma once
/// What the files beside a tokenizer say about it.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/added_tokens.hpp"

namespace btc {

struct TokenizerSettings {
  std::optional<bool> add_bos;           ///< `add_bos_token` of tokenizer_config.json
  bool add_eos = false;                  ///< `add_eos_token` of tokenizer_config.json
  std::optional<std::string> bos_token;  ///< of tokenizer_config.json
  std::optional<std::string> eos_token;
  std::vector<AddedToken> added_tokens;  ///< `added_tokens_decoder` of tokenizer_config.json
  std::vector<std::int32_t> eos_ids;     ///< of generation_config.json, else of config.json
};

/// Reads those files of a model directory that are there. @throws InputError naming file and field
TokenizerSettings read_tokenizer_settings(const std::filesystem::path& directory);

/// @throws InputError if `add_eos` is set
void refuse_eos(const TokenizerSettings& settings, const std::filesystem::path& directory);

/// The BOS that is put in front of a text: without `add_bos` the `usual` one, which the tokenizer's
/// own file or family gives; else none or, before the usual one, that of `bos_token`.
/// @param named id of `bos_token`, if the tokenizer has it
/// @throws InputError if a BOS is asked for and there is none
std::optional<std::int32_t> choose_bos(const TokenizerSettings& settings,
                                       std::optional<std::int32_t> named,
                                       std::optional<std::int32_t> usual,
                                       const std::filesystem::path& directory);

/// The ids that end a text: those of `eos_ids`, else that of `eos_token`, else the `usual` ones.
/// @param named id of `eos_token`, if the tokenizer has it
std::vector<std::int32_t> choose_eos(const TokenizerSettings& settings,
                                     std::optional<std::int32_t> named,
                                     const std::vector<std::int32_t>& usual);

}  // namespace btc
