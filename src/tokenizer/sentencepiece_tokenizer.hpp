#pragma once

#include <filesystem>
#include <memory>

#include "tokenizer/tokenizer.hpp"
#include "tokenizer/tokenizer_settings.hpp"

namespace btc {

/// A sentencepiece model. Its control pieces, and the added tokens of tokenizer_config.json behind
/// its pieces, are the special tokens; a BOS is usual.
/// @throws InputError if the file is damaged
std::unique_ptr<Tokenizer> open_sentencepiece(const std::filesystem::path& file,
                                              const TokenizerSettings& settings);

}  // namespace btc
