#pragma once
/// `tokenizer.json` of Hugging Face. Read exactly or refused by name: docs/tokenizers.md lists what
/// is understood.

#include <filesystem>
#include <memory>

#include "tokenizer/json_node.hpp"
#include "tokenizer/pipeline_tokenizer.hpp"

namespace btc {

/// @param settings of them `add_bos` and `add_eos` change nothing, as in transformers: what goes in
///        front of a text is the post-processor's
/// @throws InputError naming the entry that is damaged or not supported
std::unique_ptr<Tokenizer> open_tokenizer_json(const std::filesystem::path& file,
                                               TokenizerSettings settings);

/// The steps of field `normalizer`; of none, none.
std::vector<NormalizeStep> read_normalizer(const JsonNode& node);

struct PreTokenizer {
  std::vector<PreTokenizeStep> steps;
  bool byte_level = false;  ///< the vocabulary writes bytes in the byte alphabet
};
/// Field `pre_tokenizer`.
PreTokenizer read_pre_tokenizer(const JsonNode& node);

/// The steps of field `decoder`. Without it texts are joined by spaces, those of a byte-level
/// vocabulary as by decoder ByteLevel.
std::vector<DecodeStep> read_decoder(const JsonNode& root, bool byte_level);

/// The id that field `post_processor` puts in front of a text.
std::optional<std::int32_t> read_post_processor(const JsonNode& node);

/// Field `model`: fills `rules` and `texts`.
/// @param byte_level tokens are written in the byte alphabet
void read_bpe_model(const JsonNode& node, bool byte_level, TokenizerParts& parts);

}  // namespace btc
