#include "tokenizer/tokenizer_settings.hpp"

#include <charconv>

#include "common/error.hpp"
#include "tokenizer/json_node.hpp"

namespace btc {

namespace {

namespace fs = std::filesystem;

/// A special token: its text, or an object that holds it.
std::optional<std::string> token_text(const JsonNode& config, std::string_view name) {
  const auto field = config.find(name);
  if (!field) {
    return std::nullopt;
  }
  return field->value().is_object() ? field->at("content").text() : field->text();
}

/// `added_tokens_decoder`: id -> token.
std::vector<AddedToken> added_tokens(const JsonNode& config) {
  std::vector<AddedToken> tokens;
  const auto table = config.find("added_tokens_decoder");
  if (!table) {
    return tokens;
  }
  if (!table->value().is_object()) {
    table->refuse("expected an object");
  }
  for (const auto& [key, value] : table->value().items()) {
    const JsonNode entry(value, concat(table->where(), ".", key));
    AddedToken token;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), token.id);
    if (parsed.ec != std::errc() || parsed.ptr != key.data() + key.size() || token.id < 0) {
      entry.refuse("expected an id, found '", key, "'");
    }
    token.content = entry.at("content").text();
    token.special = entry.flag_or("special", false);
    token.strip_left = entry.flag_or("lstrip", false);
    token.strip_right = entry.flag_or("rstrip", false);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

/// `eos_token_id`: an id, a list of ids, or absent.
std::vector<std::int32_t> eos_of(const fs::path& path) {
  if (!fs::exists(path)) {
    return {};
  }
  const nlohmann::json document = read_json_object(path);
  const auto field = JsonNode(document, path.string() + ": ").find("eos_token_id");
  std::vector<std::int32_t> ids;
  if (field && field->value().is_array()) {
    for (std::size_t i = 0; i < field->size(); ++i) {
      ids.push_back(field->element(i).id());
    }
  } else if (field) {
    ids.push_back(field->id());
  }
  return ids;
}

void read_tokenizer_config(const fs::path& path, TokenizerSettings& settings) {
  const nlohmann::json document = read_json_object(path);
  const JsonNode config(document, path.string() + ": ");
  if (const auto add_bos = config.find("add_bos_token")) {
    settings.add_bos = add_bos->flag();
  }
  settings.add_eos = config.flag_or("add_eos_token", false);
  settings.bos_token = token_text(config, "bos_token");
  settings.eos_token = token_text(config, "eos_token");
  settings.added_tokens = added_tokens(config);
}

}  // namespace

TokenizerSettings read_tokenizer_settings(const fs::path& directory) {
  TokenizerSettings settings;
  const fs::path config = directory / "tokenizer_config.json";
  if (fs::exists(config)) {
    read_tokenizer_config(config, settings);
  }
  settings.eos_ids = eos_of(directory / "generation_config.json");
  if (settings.eos_ids.empty()) {
    settings.eos_ids = eos_of(directory / "config.json");
  }
  return settings;
}

void refuse_eos(const TokenizerSettings& settings, const fs::path& directory) {
  BTC_REQUIRE(InputError, !settings.add_eos, (directory / "tokenizer_config.json").string(),
              ": add_eos_token: an EOS behind every text is not supported");
}

std::optional<std::int32_t> choose_bos(const TokenizerSettings& settings,
                                       std::optional<std::int32_t> named,
                                       std::optional<std::int32_t> usual,
                                       const fs::path& directory) {
  if (!settings.add_bos) {
    return usual;
  }
  if (!*settings.add_bos) {
    return std::nullopt;
  }
  const auto id = named ? named : usual;
  BTC_REQUIRE(InputError, id.has_value(), (directory / "tokenizer_config.json").string(),
              ": add_bos_token is true, but the tokenizer has no bos_token");
  return id;
}

std::vector<std::int32_t> choose_eos(const TokenizerSettings& settings,
                                     std::optional<std::int32_t> named,
                                     const std::vector<std::int32_t>& usual) {
  if (!settings.eos_ids.empty()) {
    return settings.eos_ids;
  }
  return named ? std::vector{*named} : usual;
}

}  // namespace btc
