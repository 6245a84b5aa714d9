#include <map>
#include <utility>

#include "common/error.hpp"
#include "tokenizer/tokenizer_json.hpp"

namespace btc {

namespace {

/// `{"String": "..."}`; expressions are for `read_pattern`.
const std::string& literal_of(const JsonNode& node) {
  node.require_only({"String"});
  return node.at("String").some_text();
}

Pattern read_pattern(const JsonNode& node) {
  node.require_only({"String", "Regex"});
  const auto regex = node.find("Regex");
  return regex ? Pattern(regex->some_text(), regex->where()) : Pattern::literal(literal_of(node));
}

SplitBehavior read_behavior(const JsonNode& node) {
  const std::map<std::string_view, SplitBehavior> names = {
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous}};
  const auto found = names.find(node.text());
  if (found == names.end()) {
    node.refuse("the behavior ", node.text(), " is not supported");
  }
  return found->second;
}

/// `prepend_scheme`, or the older `add_prefix_space`.
PrefixScheme read_prefix_scheme(const JsonNode& node) {
  const bool add = node.flag_or("add_prefix_space", true);
  const auto scheme = node.find("prepend_scheme");
  if (!scheme) {
    return add ? PrefixScheme::kAlways : PrefixScheme::kNever;
  }
  const std::map<std::string_view, PrefixScheme> names = {{"always", PrefixScheme::kAlways},
                                                          {"first", PrefixScheme::kFirst},
                                                          {"never", PrefixScheme::kNever}};
  const auto found = names.find(scheme->text());
  if (found == names.end()) {
    scheme->refuse("the scheme ", scheme->text(), " is not supported");
  }
  if (!add && found->second == PrefixScheme::kAlways) {
    scheme->refuse("'always' contradicts add_prefix_space");
  }
  return found->second;
}

void require_metaspace(const JsonNode& node) {
  node.require_only(
      {"type", "replacement", "prepend_scheme", "add_prefix_space", "split", "str_rep"});
}

void add_byte_level(const JsonNode& node, PreTokenizer& result) {
  node.require_only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  result.byte_level = true;
  if (node.flag_or("add_prefix_space", true)) {
    result.steps.push_back(space_prefix_step());
  }
  if (node.flag_or("use_regex", true)) {
    result.steps.push_back(split_step(gpt2_pattern(), SplitBehavior::kIsolated, false));
  }
}

/// Behind `ByteLevel` a pattern sees the characters that write the bytes.
void add_split(Pattern pattern, SplitBehavior behavior, bool invert, PreTokenizer& result) {
  PreTokenizeStep step = split_step(std::move(pattern), behavior, invert);
  result.steps.push_back(result.byte_level ? in_byte_alphabet(std::move(step)) : std::move(step));
}

void add_pre_tokenizer(const JsonNode& node, PreTokenizer& result) {
  const std::string& type = node.at("type").text();
  if (result.byte_level && (type == "ByteLevel" || type == "Metaspace")) {
    node.refuse("the pre-tokenizer ", type, " may not follow ByteLevel");
  }
  if (type == "Sequence") {
    node.require_only({"type", "pretokenizers"});
    const JsonNode list = node.at("pretokenizers");
    for (std::size_t i = 0; i < list.size(); ++i) {
      add_pre_tokenizer(list.element(i), result);
    }
  } else if (type == "Split") {
    node.require_only({"type", "pattern", "behavior", "invert"});
    add_split(read_pattern(node.at("pattern")), read_behavior(node.at("behavior")),
              node.flag_or("invert", false), result);
  } else if (type == "ByteLevel") {
    add_byte_level(node, result);
  } else if (type == "Digits") {
    node.require_only({"type", "individual_digits"});
    const bool individual = node.flag_or("individual_digits", false);
    add_split(Pattern(R"(\p{N})", node.where()),
              individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous, false, result);
  } else if (type == "Punctuation") {
    node.require_only({"type", "behavior"});
    const auto behavior = node.find("behavior");
    add_split(punctuation_pattern(), behavior ? read_behavior(*behavior) : SplitBehavior::kIsolated,
              false, result);
  } else if (type == "Metaspace") {
    require_metaspace(node);
    result.steps.push_back(metaspace_step(node.at("replacement").some_text(),
                                          read_prefix_scheme(node), node.flag_or("split", true)));
  } else {
    node.refuse("the pre-tokenizer ", type, " is not supported");
  }
}

void add_normalizer(const JsonNode& node, std::vector<NormalizeStep>& steps) {
  const std::map<std::string_view, NormalForm> forms = {{"NFC", NormalForm::kC},
                                                        {"NFD", NormalForm::kD},
                                                        {"NFKC", NormalForm::kKC},
                                                        {"NFKD", NormalForm::kKD}};
  const std::string& type = node.at("type").text();
  if (type == "Sequence") {
    node.require_only({"type", "normalizers"});
    const JsonNode list = node.at("normalizers");
    for (std::size_t i = 0; i < list.size(); ++i) {
      add_normalizer(list.element(i), steps);
    }
  } else if (const auto form = forms.find(type); form != forms.end()) {
    node.require_only({"type"});
    steps.push_back(normal_form_step(form->second));
  } else if (type == "Prepend") {
    node.require_only({"type", "prepend"});
    steps.push_back(prepend_step(node.at("prepend").some_text()));
  } else if (type == "Replace") {
    node.require_only({"type", "pattern", "content"});
    steps.push_back(replace_step(literal_of(node.at("pattern")), node.at("content").text()));
  } else {
    node.refuse("the normalizer ", type, " is not supported");
  }
}

std::size_t read_count(const JsonNode& node) { return static_cast<std::size_t>(node.id()); }

struct Decoder {
  std::vector<DecodeStep> steps;
  bool byte_level = false;
};

void add_decoder(const JsonNode& node, Decoder& result) {
  const std::string& type = node.at("type").text();
  if (result.byte_level || (type == "ByteLevel" && !result.steps.empty())) {
    node.refuse("the decoder ByteLevel must be the only one");
  }
  if (type == "Sequence") {
    node.require_only({"type", "decoders"});
    const JsonNode list = node.at("decoders");
    for (std::size_t i = 0; i < list.size(); ++i) {
      add_decoder(list.element(i), result);
    }
  } else if (type == "ByteLevel") {
    node.require_only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    result.byte_level = true;
  } else if (type == "Replace") {
    node.require_only({"type", "pattern", "content"});
    result.steps.push_back(
        replace_decode_step(literal_of(node.at("pattern")), node.at("content").text()));
  } else if (type == "ByteFallback") {
    node.require_only({"type"});
    result.steps.push_back(byte_fallback_decode_step());
  } else if (type == "Fuse") {
    node.require_only({"type"});
    result.steps.push_back(fuse_decode_step());
  } else if (type == "Strip") {
    node.require_only({"type", "content", "start", "stop"});
    result.steps.push_back(strip_decode_step(
        node.at("content").some_text(), read_count(node.at("start")), read_count(node.at("stop"))));
  } else if (type == "Metaspace") {
    require_metaspace(node);
    result.steps.push_back(metaspace_decode_step(node.at("replacement").some_text(),
                                                 read_prefix_scheme(node) != PrefixScheme::kNever));
  } else {
    node.refuse("the decoder ", type, " is not supported");
  }
}

/// Ids of the tokens of a template in front of its text. @throws InputError for any behind it
std::optional<std::int32_t> read_template(const JsonNode& node) {
  node.require_only({"type", "single", "pair", "special_tokens"});
  const JsonNode list = node.at("single");
  std::optional<std::int32_t> bos;
  bool behind = false;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const JsonNode entry = list.element(i);
    const auto token = entry.find("SpecialToken");
    if (!token) {
      if (behind || entry.at("Sequence").at("id").text() != "A") {
        entry.refuse("expected the text A, once");
      }
      behind = true;
      continue;
    }
    const std::string& name = token->at("id").text();
    const JsonNode ids = node.at("special_tokens").at(name).at("ids");
    if (behind || bos || ids.size() != 1) {
      entry.refuse("only one token in front of the text is supported, found ", name);
    }
    bos = ids.element(0).id();
  }
  return bos;
}

}  // namespace

std::vector<NormalizeStep> read_normalizer(const JsonNode& node) {
  std::vector<NormalizeStep> steps;
  add_normalizer(node, steps);
  return steps;
}

PreTokenizer read_pre_tokenizer(const JsonNode& node) {
  PreTokenizer result;
  add_pre_tokenizer(node, result);
  return result;
}

std::vector<DecodeStep> read_decoder(const JsonNode& root, bool byte_level) {
  const auto node = root.find("decoder");
  if (!node) {
    return byte_level ? std::vector<DecodeStep>{} : std::vector{space_decode_step()};
  }
  Decoder result;
  add_decoder(*node, result);
  if (result.byte_level != byte_level) {
    node->refuse("pre_tokenizer and decoder must both be of type ByteLevel, or neither");
  }
  return std::move(result.steps);
}

std::optional<std::int32_t> read_post_processor(const JsonNode& node) {
  const std::string& type = node.at("type").text();
  if (type == "TemplateProcessing") {
    return read_template(node);
  }
  if (type == "Sequence") {
    node.require_only({"type", "processors"});
    const JsonNode list = node.at("processors");
    std::optional<std::int32_t> bos;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto found = read_post_processor(list.element(i));
      if (found && bos) {
        list.refuse("only one token in front of the text is supported");
      }
      bos = found ? found : bos;
    }
    return bos;
  }
  if (type != "ByteLevel") {  // which is about offsets only
    node.refuse("the post-processor ", type, " is not supported");
  }
  return std::nullopt;
}

}  // namespace btc
