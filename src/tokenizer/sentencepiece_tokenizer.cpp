#include "tokenizer/sentencepiece_tokenizer.hpp"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <utility>

#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/matrix.hpp"

namespace btc {

namespace {

namespace fs = std::filesystem;

/// Loads the model. @throws InputError
std::unique_ptr<sentencepiece::SentencePieceProcessor> load(const fs::path& file) {
  auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
  const auto status = processor->Load(file.string());
  BTC_REQUIRE(InputError, status.ok(), file.string(),
              ": not a sentencepiece model: ", status.ToString());
  return processor;
}

/// Control pieces, and the added tokens behind the pieces.
std::vector<AddedToken> special_tokens(const sentencepiece::SentencePieceProcessor& processor,
                                       const TokenizerSettings& settings) {
  std::vector<AddedToken> tokens;
  for (int id = 0; id < processor.GetPieceSize(); ++id) {
    if (processor.IsControl(id)) {
      tokens.push_back({.id = id, .content = processor.IdToPiece(id)});
    }
  }
  for (const AddedToken& token : settings.added_tokens) {
    if (token.id >= processor.GetPieceSize()) {
      tokens.push_back(token);
    }
  }
  return tokens;
}

class SentencePieceTokenizer final : public Tokenizer {
 public:
  SentencePieceTokenizer(const fs::path& file, const TokenizerSettings& settings)
      : processor_(load(file)),
        added_(special_tokens(*processor_, settings)),
        matcher_(added_),
        vocab_size_(narrow<std::size_t>(processor_->GetPieceSize())),
        file_sha256_(sha256_file(file)) {
    for (const AddedToken& token : added_) {
      vocab_size_ = std::max(vocab_size_, static_cast<std::size_t>(token.id) + 1);
    }
    const auto named = [&](const std::optional<std::string>& token) {
      return token ? id_of(*token) : std::nullopt;
    };
    const auto own = [](int id) {
      return id >= 0 ? std::optional<std::int32_t>(id) : std::nullopt;
    };
    bos_id_ = choose_bos(settings, named(settings.bos_token), own(processor_->bos_id()),
                         file.parent_path());
    const auto eos = own(processor_->eos_id());
    eos_ids_ = choose_eos(settings, named(settings.eos_token),
                          eos ? std::vector{*eos} : std::vector<std::int32_t>());
  }

  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override {
    return encode_parts(text, false);
  }
  [[nodiscard]] std::vector<std::int32_t> encode_prompt(std::string_view text) const override {
    return encode_parts(text, true);
  }
  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override {
    std::string text;
    std::vector<int> run;
    for (const std::int32_t id : ids) {
      if (id >= 0 && id < processor_->GetPieceSize()) {
        run.push_back(id);
        continue;
      }
      const AddedToken& token = added_token(id);
      if (!token.special) {
        decode_run(run, text);
        text += token.content;
      }
    }
    decode_run(run, text);
    return text;
  }
  [[nodiscard]] std::size_t vocab_size() const override { return vocab_size_; }
  [[nodiscard]] std::optional<std::int32_t> bos_id() const override { return bos_id_; }
  [[nodiscard]] std::vector<std::int32_t> eos_ids() const override { return eos_ids_; }
  [[nodiscard]] std::optional<std::int32_t> id_of(std::string_view token) const override {
    const auto found = std::find_if(added_.begin(), added_.end(), [&](const AddedToken& added) {
      return added.content == token;
    });
    return found == added_.end() ? std::nullopt : std::optional(found->id);
  }
  [[nodiscard]] const std::string& file_sha256() const override { return file_sha256_; }

 private:
  [[nodiscard]] std::vector<std::int32_t> encode_parts(std::string_view text, bool specials) const {
    std::vector<std::int32_t> ids;
    for (const TextPart& part : matcher_.split(text, specials)) {
      if (part.id) {
        ids.push_back(*part.id);
        continue;
      }
      std::vector<int> run;
      const auto status =
          processor_->Encode({text.data() + part.begin, part.end - part.begin}, &run);
      BTC_REQUIRE(InputError, status.ok(), "sentencepiece cannot encode a text of ",
                  part.end - part.begin, " bytes: ", status.ToString());
      ids.insert(ids.end(), run.begin(), run.end());
    }
    return ids;
  }

  [[nodiscard]] const AddedToken& added_token(std::int32_t id) const {
    const auto found = std::find_if(added_.begin(), added_.end(),
                                    [&](const AddedToken& token) { return token.id == id; });
    BTC_REQUIRE(InputError, found != added_.end(), "id ", id, ", expected 0 to ", vocab_size_ - 1);
    return *found;
  }

  /// Appends the text of `run` and empties it.
  void decode_run(std::vector<int>& run, std::string& text) const {
    if (run.empty()) {
      return;
    }
    std::string part;
    const auto status = processor_->Decode(run, &part);
    BTC_REQUIRE(InputError, status.ok(), "sentencepiece cannot decode: ", status.ToString());
    text += part;
    run.clear();
  }

  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  std::vector<AddedToken> added_;
  TokenMatcher matcher_;
  std::size_t vocab_size_ = 0;
  std::optional<std::int32_t> bos_id_;
  std::vector<std::int32_t> eos_ids_;
  std::string file_sha256_;
};

}  // namespace

std::unique_ptr<Tokenizer> open_sentencepiece(const fs::path& file,
                                              const TokenizerSettings& settings) {
  return std::make_unique<SentencePieceTokenizer>(file, settings);
}

}  // namespace btc
