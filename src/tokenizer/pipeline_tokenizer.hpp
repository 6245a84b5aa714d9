#pragma once
/// A tokenizer made of steps: added tokens are cut out, the text between them is normalized, cut
/// into pieces and encoded by byte-pair encoding.

#include <filesystem>
#include <memory>
#include <unordered_map>

#include "tokenizer/added_tokens.hpp"
#include "tokenizer/bpe.hpp"
#include "tokenizer/decoder.hpp"
#include "tokenizer/normalizer.hpp"
#include "tokenizer/pre_tokenizer.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/tokenizer_settings.hpp"

namespace btc {

/// What a file or a family says about its tokenizer.
struct TokenizerParts {
  BpeRules rules;
  std::unordered_map<std::int32_t, std::string> texts;  ///< what `decoders` get for an id
  std::vector<AddedToken> added_tokens;
  std::vector<NormalizeStep> normalizers;
  std::vector<PreTokenizeStep> pre_tokenizers;
  std::vector<DecodeStep> decoders;  ///< none: texts are joined
  std::optional<std::int32_t> usual_bos;
  std::vector<std::int32_t> usual_eos;
};

/// @param file gives the SHA-256
/// @throws InputError if the parts do not go together, naming the file
std::unique_ptr<Tokenizer> make_pipeline_tokenizer(TokenizerParts parts,
                                                   const TokenizerSettings& settings,
                                                   const std::filesystem::path& file);

}  // namespace btc
