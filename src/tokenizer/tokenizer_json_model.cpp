#include <array>
#include <utility>

#include "common/error.hpp"
#include "common/matrix.hpp"
#include "tokenizer/byte_alphabet.hpp"
#include "tokenizer/tokenizer_json.hpp"

namespace btc {

namespace {

/// Ids by the texts of the file.
TokenIds read_vocabulary(const JsonNode& node) {
  if (!node.value().is_object() || node.value().empty()) {
    node.refuse("expected an object of tokens and ids");
  }
  TokenIds ids;
  std::unordered_map<std::int32_t, std::string_view> tokens;
  for (const auto& [token, value] : node.value().items()) {
    const std::int32_t id = JsonNode(value, concat(node.where(), "['", token, "']")).id();
    const auto [other, fresh] = tokens.emplace(id, token);
    if (!fresh) {
      node.refuse("the id ", id, " belongs to '", other->second, "' and to '", token, "'");
    }
    ids.emplace(token, id);
  }
  return ids;
}

std::int32_t id_in(const TokenIds& ids, std::string_view token, const JsonNode& origin) {
  const auto found = ids.find(token);
  if (found == ids.end()) {
    origin.refuse("'", token, "' is not in the vocabulary");
  }
  return found->second;
}

/// A merge is `"left right"` or `["left", "right"]`.
std::pair<std::string_view, std::string_view> read_merge(const JsonNode& entry) {
  if (entry.value().is_array()) {
    if (entry.size() != 2) {
      entry.refuse("expected two tokens, found ", entry.size());
    }
    return {entry.value()[0].is_string() ? entry.value()[0].get_ref<const std::string&>()
                                         : entry.element(0).text(),
            entry.element(1).text()};
  }
  const std::string_view text = entry.text();
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
    entry.refuse("expected two tokens with one space between them, found '", text, "'");
  }
  return {text.substr(0, space), text.substr(space + 1)};
}

MergeTable read_merges(const JsonNode& list, const TokenIds& ids) {
  MergeTable merges;
  merges.reserve(list.size());
  for (std::size_t rank = 0; rank < list.size(); ++rank) {
    const JsonNode entry = list.element(rank);
    const auto [left, right] = read_merge(entry);
    const std::uint64_t key = pair_key(id_in(ids, left, entry), id_in(ids, right, entry));
    const std::int32_t merged = id_in(ids, concat(left, right), entry);
    // Of a pair that occurs twice, the later rank counts.
    merges.insert_or_assign(key, Merge{narrow<std::int32_t>(rank), merged});
  }
  return merges;
}

std::array<std::int32_t, 256> read_byte_fallback(const TokenIds& ids, const JsonNode& model) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::array<std::int32_t, 256> bytes{};
  for (std::size_t byte = 0; byte < bytes.size(); ++byte) {
    bytes.at(byte) =
        id_in(ids, concat("<0x", kDigits[byte / 16], kDigits[byte % 16], ">"),
              JsonNode(model.at("byte_fallback").value(), model.where() + ".byte_fallback"));
  }
  return bytes;
}

/// Fields of other kinds of BPE must have no effect.
void refuse_other_kinds(const JsonNode& model) {
  const auto dropout = model.find("dropout");
  if (dropout && dropout->value() != 0) {
    dropout->refuse("dropout is not supported");
  }
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const auto affix = model.find(name);
    if (affix && !affix->text().empty()) {
      affix->refuse("an affix of tokens is not supported, found '", affix->text(), "'");
    }
  }
}

/// The vocabulary by bytes, for texts that are given as bytes.
TokenIds to_bytes(const TokenIds& ids, TokenizerParts& parts) {
  const ByteAlphabet alphabet;
  TokenIds by_bytes;
  for (const auto& [token, id] : ids) {
    const auto bytes = alphabet.to_bytes(token);
    if (bytes) {
      by_bytes.emplace(*bytes, id);
    }
    // Other tokens can only be added tokens: no text of bytes gives them.
    parts.texts.emplace(id, bytes.value_or(token));
  }
  return by_bytes;
}

}  // namespace

void read_bpe_model(const JsonNode& node, bool byte_level, TokenizerParts& parts) {
  if (const auto type = node.find("type"); type && type->text() != "BPE") {
    type->refuse("the model ", type->text(), " is not supported, expected BPE");
  }
  node.require_only({"type", "dropout", "unk_token", "continuing_subword_prefix",
                     "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges", "vocab",
                     "merges"});
  refuse_other_kinds(node);
  TokenIds ids = read_vocabulary(node.at("vocab"));
  BpeRules& rules = parts.rules;
  rules.merges = read_merges(node.at("merges"), ids);
  rules.whole_pieces = node.flag_or("ignore_merges", false);
  rules.byte_symbols = byte_level;
  rules.fuse_unknown = node.flag_or("fuse_unk", false);
  // The empty text is no token.
  if (const auto unknown = node.find("unk_token"); unknown && !unknown->text().empty()) {
    rules.unknown = id_in(ids, unknown->text(), *unknown);
  }
  if (node.flag_or("byte_fallback", false)) {
    rules.byte_fallback = read_byte_fallback(ids, node);
  }
  if (byte_level) {
    rules.ids = to_bytes(ids, parts);
  } else {
    for (const auto& [token, id] : ids) {
      parts.texts.emplace(id, token);
    }
    rules.ids = std::move(ids);
  }
}

}  // namespace btc
