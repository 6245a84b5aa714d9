#pragma once
/// Text to token ids.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace btc {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Ids of the text without special tokens.
  [[nodiscard]] virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  [[nodiscard]] virtual std::string decode(const std::vector<std::int32_t>& ids) const = 0;
  [[nodiscard]] virtual std::size_t vocab_size() const = 0;
  /// The id put in front of a text, or nullopt if this tokenizer adds none.
  [[nodiscard]] virtual std::optional<std::int32_t> bos_id() const = 0;
  /// SHA-256 of the tokenizer file.
  [[nodiscard]] virtual const std::string& file_sha256() const = 0;
};

/// The tokenizer of a Hugging Face directory: `tokenizer.model` (sentencepiece).
/// @throws InputError if there is none that this build can read (byte-level BPE: says so)
std::unique_ptr<Tokenizer> open_tokenizer(const std::filesystem::path& model_directory);

}  // namespace btc
