#pragma once
/// Text to token ids and back.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace btc {

/// All functions may be called from several threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Ids of the text without BOS. A special token that the text spells stays text.
  /// @throws InputError if a byte-level tokenizer is given a text that is not UTF-8
  [[nodiscard]] virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  /// `encode`, except that special tokens in the text become their ids: for prompts.
  [[nodiscard]] virtual std::vector<std::int32_t> encode_prompt(std::string_view text) const {
    return encode(text);
  }
  /// The text of ids; special tokens leave nothing. Bytes of a character that `ids` holds only in
  /// part come out as they are (byte-level), or as U+FFFD (byte fallback).
  /// @throws InputError if an id is not one of this tokenizer
  [[nodiscard]] virtual std::string decode(const std::vector<std::int32_t>& ids) const = 0;
  /// One more than the largest id. A model may have more rows in its embedding (padding).
  [[nodiscard]] virtual std::size_t vocab_size() const = 0;
  /// The id put in front of a text, or nullopt if this tokenizer adds none.
  [[nodiscard]] virtual std::optional<std::int32_t> bos_id() const = 0;
  /// Ids that end a generated text; empty if unknown.
  [[nodiscard]] virtual std::vector<std::int32_t> eos_ids() const { return {}; }
  /// The id of a special or added token, by its text.
  [[nodiscard]] virtual std::optional<std::int32_t> id_of(std::string_view /*token*/) const {
    return std::nullopt;
  }
  /// SHA-256 of the tokenizer file.
  [[nodiscard]] virtual const std::string& file_sha256() const = 0;
};

/// The tokenizer of a Hugging Face directory. The first of these files that is there decides:
/// `tokenizer.model` (sentencepiece, or the rank list of LLaMA-3: told by content),
/// `qwen.tiktoken`, `tokenizer.json`. `tokenizer_config.json`, `generation_config.json` and
/// `config.json` say about BOS and EOS. @see docs/tokenizers.md
/// @throws InputError if there is none, naming file and entry if it is damaged or not supported
std::unique_ptr<Tokenizer> open_tokenizer(const std::filesystem::path& model_directory);

}  // namespace btc
