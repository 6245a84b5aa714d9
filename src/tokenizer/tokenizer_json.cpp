#include "tokenizer/tokenizer_json.hpp"

#include <utility>

#include "common/error.hpp"

namespace btc {

namespace {

AddedToken read_added_token(const JsonNode& node) {
  node.require_only({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
  if (node.flag_or("single_word", false)) {
    node.refuse("single_word is not supported");
  }
  return {.id = node.at("id").id(),
          .content = node.at("content").some_text(),
          .special = node.flag_or("special", false),
          .normalized = node.flag_or("normalized", true),
          .strip_left = node.flag_or("lstrip", false),
          .strip_right = node.flag_or("rstrip", false)};
}

/// Added tokens have the ids that the vocabulary gives their texts, and no id twice.
std::vector<AddedToken> read_added_tokens(const JsonNode& list, const JsonNode& vocabulary) {
  std::vector<AddedToken> tokens;
  std::unordered_map<std::int32_t, std::string> seen;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const JsonNode entry = list.element(i);
    AddedToken token = read_added_token(entry);
    const auto known = vocabulary.find(token.content);
    if (known && known->id() != token.id) {
      entry.refuse("id ", token.id, ", but the vocabulary gives '", token.content, "' the id ",
                   known->id());
    }
    const auto [other, fresh] = seen.emplace(token.id, token.content);
    if (!fresh && other->second != token.content) {
      entry.refuse("id ", token.id, " is that of '", other->second, "', too");
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

/// An added token has no id of another token of the vocabulary.
void check_added_ids(const std::vector<AddedToken>& added,
                     const std::unordered_map<std::int32_t, std::string>& texts,
                     const JsonNode& vocabulary) {
  for (const AddedToken& token : added) {
    if (texts.contains(token.id) && !vocabulary.find(token.content)) {
      vocabulary.refuse("the id ", token.id, " of the added token '", token.content,
                        "' is that of '", texts.at(token.id), "', too");
    }
  }
}

}  // namespace

std::unique_ptr<Tokenizer> open_tokenizer_json(const std::filesystem::path& file,
                                               TokenizerSettings settings) {
  settings.add_bos.reset();  // the post-processor alone decides
  const nlohmann::json document = read_json_object(file);
  const JsonNode root(document, file.string() + ": ");
  // How to shorten and fill up texts for a batch (truncation, padding) is the caller's choice.
  root.require_only({"version", "truncation", "padding", "added_tokens", "normalizer",
                     "pre_tokenizer", "post_processor", "decoder", "model"});
  TokenizerParts parts;
  const JsonNode model = root.at("model");
  if (const auto normalizer = root.find("normalizer")) {
    parts.normalizers = read_normalizer(*normalizer);
  }
  bool byte_level = false;
  if (const auto pre_tokenizer = root.find("pre_tokenizer")) {
    PreTokenizer read = read_pre_tokenizer(*pre_tokenizer);
    parts.pre_tokenizers = std::move(read.steps);
    byte_level = read.byte_level;
  }
  parts.decoders = read_decoder(root, byte_level);
  read_bpe_model(model, byte_level, parts);
  if (const auto added = root.find("added_tokens")) {
    parts.added_tokens = read_added_tokens(*added, model.at("vocab"));
    check_added_ids(parts.added_tokens, parts.texts, model.at("vocab"));
  }
  if (const auto post_processor = root.find("post_processor")) {
    parts.usual_bos = read_post_processor(*post_processor);
  }
  return make_pipeline_tokenizer(std::move(parts), settings, file);
}

}  // namespace btc
