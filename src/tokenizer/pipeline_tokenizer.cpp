#include "tokenizer/pipeline_tokenizer.hpp"

#include <algorithm>
#include <utility>

#include "common/error.hpp"
#include "common/hash.hpp"
#include "tokenizer/unicode.hpp"

namespace btc {

namespace {

/// Tokens to look for in the raw text, or in the normalized text: by what they look like there.
std::vector<AddedToken> tokens_to_match(const TokenizerParts& parts, bool normalized) {
  std::vector<AddedToken> tokens;
  for (AddedToken token : parts.added_tokens) {
    if (token.normalized == normalized) {
      if (normalized) {
        token.content = normalize(parts.normalizers, token.content);
      }
      tokens.push_back(std::move(token));
    }
  }
  return tokens;
}

class PipelineTokenizer final : public Tokenizer {
 public:
  PipelineTokenizer(TokenizerParts parts, const TokenizerSettings& settings,
                    const std::filesystem::path& file)
      : raw_tokens_(tokens_to_match(parts, false)),
        normalized_tokens_(tokens_to_match(parts, true)),
        normalizers_(std::move(parts.normalizers)),
        pre_tokenizers_(std::move(parts.pre_tokenizers)),
        bpe_(std::move(parts.rules)),
        decoders_(std::move(parts.decoders)),
        texts_(std::move(parts.texts)),
        file_sha256_(sha256_file(file)) {
    for (const AddedToken& token : parts.added_tokens) {
      // One that is looked for in normalized text stands for what it is there.
      texts_.insert_or_assign(
          token.id, token.normalized ? normalize(normalizers_, token.content) : token.content);
      special_.insert_or_assign(token.id, token.special);
      added_ids_.insert_or_assign(token.content, token.id);
    }
    for (const auto& [id, text] : texts_) {
      vocab_size_ = std::max(vocab_size_, static_cast<std::size_t>(id) + 1);
    }
    const auto named = [&](const std::optional<std::string>& token) {
      return token ? id_of(*token) : std::nullopt;
    };
    bos_id_ = choose_bos(settings, named(settings.bos_token), parts.usual_bos, file.parent_path());
    eos_ids_ = choose_eos(settings, named(settings.eos_token), parts.usual_eos);
  }

  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override {
    return encode_parts(text, false);
  }
  [[nodiscard]] std::vector<std::int32_t> encode_prompt(std::string_view text) const override {
    return encode_parts(text, true);
  }
  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override {
    std::vector<std::string> tokens;
    tokens.reserve(ids.size());
    for (const std::int32_t id : ids) {
      const auto text = texts_.find(id);
      BTC_REQUIRE(InputError, text != texts_.end(), "id ", id,
                  " is not in the vocabulary, whose ids end at ", vocab_size_ - 1);
      const auto special = special_.find(id);
      if (special == special_.end() || !special->second) {
        tokens.push_back(text->second);
      }
    }
    return join_decoded(decoders_, std::move(tokens));
  }
  [[nodiscard]] std::size_t vocab_size() const override { return vocab_size_; }
  [[nodiscard]] std::optional<std::int32_t> bos_id() const override { return bos_id_; }
  [[nodiscard]] std::vector<std::int32_t> eos_ids() const override { return eos_ids_; }
  [[nodiscard]] std::optional<std::int32_t> id_of(std::string_view token) const override {
    const auto found = added_ids_.find(token);
    return found == added_ids_.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] const std::string& file_sha256() const override { return file_sha256_; }

 private:
  [[nodiscard]] std::vector<std::int32_t> encode_parts(std::string_view text, bool specials) const {
    require_utf8(text);
    std::vector<std::int32_t> ids;
    for (const TextPart& part : raw_tokens_.split(text, specials)) {
      if (part.id) {
        ids.push_back(*part.id);
      } else {
        const std::string normalized =
            normalize(normalizers_, std::string(text.substr(part.begin, part.end - part.begin)));
        encode_normalized(normalized, part.begin == 0, specials, ids);
      }
    }
    return ids;
  }

  void encode_normalized(std::string_view text, bool at_start, bool specials,
                         std::vector<std::int32_t>& ids) const {
    for (const TextPart& part : normalized_tokens_.split(text, specials)) {
      if (part.id) {
        ids.push_back(*part.id);
        continue;
      }
      Piece rest{std::string(text.substr(part.begin, part.end - part.begin)),
                 at_start && part.begin == 0};
      for (const Piece& piece : pre_tokenize(pre_tokenizers_, std::move(rest))) {
        bpe_.encode(piece.text, ids);
      }
    }
  }

  TokenMatcher raw_tokens_;
  TokenMatcher normalized_tokens_;
  std::vector<NormalizeStep> normalizers_;
  std::vector<PreTokenizeStep> pre_tokenizers_;
  Bpe bpe_;
  std::vector<DecodeStep> decoders_;
  std::unordered_map<std::int32_t, std::string> texts_;
  std::unordered_map<std::int32_t, bool> special_;
  TokenIds added_ids_;
  std::size_t vocab_size_ = 0;
  std::optional<std::int32_t> bos_id_;
  std::vector<std::int32_t> eos_ids_;
  std::string file_sha256_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_pipeline_tokenizer(TokenizerParts parts,
                                                   const TokenizerSettings& settings,
                                                   const std::filesystem::path& file) {
  return std::make_unique<PipelineTokenizer>(std::move(parts), settings, file);
}

}  // namespace btc
