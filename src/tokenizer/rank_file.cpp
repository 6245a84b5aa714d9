#include "tokenizer/rank_file.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <optional>
#include <unordered_set>
#include <utility>

#include "common/error.hpp"
#include "common/matrix.hpp"
#include "io/atomic_file.hpp"
#include "tokenizer/pipeline_tokenizer.hpp"

namespace btc {

namespace {

namespace fs = std::filesystem;

/// Value of a base64 digit, or -1.
int base64_value(char digit) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t value = kDigits.find(digit);
  return value == std::string_view::npos ? -1 : static_cast<int>(value);
}

/// Padded base64 without anything else, of at least one byte, or nullopt.
std::optional<std::string> decode_base64(std::string_view text) {
  std::string_view digits = text;
  while (digits.ends_with('=') && text.size() - digits.size() < 2) {
    digits.remove_suffix(1);
  }
  if (digits.empty() || text.size() % 4 != 0) {
    return std::nullopt;
  }
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char digit : digits) {
    const int value = base64_value(digit);
    if (value < 0) {
      return std::nullopt;
    }
    bits = (bits << 6U) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>((bits >> static_cast<unsigned>(count)) & 0xffU);
    }
  }
  return bytes;
}

std::optional<std::int32_t> parse_rank(std::string_view text) {
  std::int32_t rank = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), rank);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return whole && rank >= 0 ? std::optional(rank) : std::nullopt;
}

/// Calls `visit(line number, line)` for each line, without its end.
template <typename Visit>
void for_each_line(std::string_view text, Visit visit) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    visit(number, line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// LLaMA-3 and Qwen cut texts alike, but for how many digits stay together.
std::string pattern_with(std::string_view digits) {
  return concat(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)", digits,
                R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)");
}

/// Every match starts where the last one ended: the pattern of a family leaves nothing out.
PreTokenizeStep covering_step(Pattern pattern) {
  return [pattern = std::move(pattern)](Piece&& piece, std::vector<Piece>& pieces) {
    for (const TextRange& range : pattern.split(piece.text)) {
      BTC_CHECK(range.matched, "bytes ", range.begin, " to ", range.end,
                " of a text are in no piece");
      pieces.push_back({piece.text.substr(range.begin, range.end - range.begin),
                        piece.at_start && range.begin == 0});
    }
  };
}

/// Those of tokenizer_config.json, if it names any behind the ranks, else those of the family.
std::vector<AddedToken> special_tokens(const RankFamily& family,
                                       const TokenizerSettings& settings) {
  std::vector<AddedToken> tokens;
  for (const AddedToken& token : settings.added_tokens) {
    if (std::cmp_greater_equal(token.id, family.ranks)) {
      tokens.push_back(token);
    }
  }
  if (tokens.empty()) {
    auto id = narrow<std::int32_t>(family.ranks);
    for (const std::string& content : family.special_tokens) {
      tokens.push_back({.id = id++, .content = content});
    }
  }
  return tokens;
}

std::optional<std::int32_t> id_among(const std::vector<AddedToken>& tokens,
                                     std::string_view content) {
  const auto found = std::find_if(tokens.begin(), tokens.end(), [&](const AddedToken& token) {
    return token.content == content;
  });
  return found == tokens.end() ? std::nullopt : std::optional(found->id);
}

}  // namespace

RankFamily llama3_family() {
  constexpr int kReserved = 251;
  std::vector<std::string> specials = {"<|begin_of_text|>", "<|end_of_text|>"};
  const auto reserve = [&](int first, int end) {
    for (int i = first; i < end; ++i) {
      specials.push_back(concat("<|reserved_special_token_", i, "|>"));
    }
  };
  reserve(0, 4);
  specials.insert(specials.end(), {"<|start_header_id|>", "<|end_header_id|>"});
  reserve(4, 5);
  specials.emplace_back("<|eot_id|>");
  reserve(5, kReserved);
  return {.name = "LLaMA-3",
          .ranks = 128000,
          .pattern = pattern_with(R"(\p{N}{1,3})"),
          .special_tokens = specials,
          .bos = "<|begin_of_text|>",
          .eos = {"<|end_of_text|>", "<|eot_id|>"}};
}

RankFamily qwen_family() {
  return {.name = "Qwen",
          .ranks = 151643,
          .pattern = pattern_with(R"(\p{N})"),
          .nfc = true,
          .special_tokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"},
          .eos = {"<|endoftext|>", "<|im_end|>"}};
}

bool is_rank_list(const fs::path& file) {
  BTC_REQUIRE(IoError, !fs::is_directory(file), file.string(), ": is a directory, expected a file");
  std::ifstream stream(file, std::ios::binary);
  std::string line(256, '\0');
  stream.read(line.data(), static_cast<std::streamsize>(line.size()));
  line.resize(static_cast<std::size_t>(stream.gcount()));
  line.resize(std::min(line.find_first_of("\r\n"), line.size()));
  const std::size_t space = line.find(' ');
  return space != std::string::npos && decode_base64(line.substr(0, space)).has_value() &&
         parse_rank(std::string_view(line).substr(space + 1)).has_value();
}

TokenIds read_ranks(const fs::path& file) {
  const std::string text = read_text_file(file);
  TokenIds ids;
  std::unordered_set<std::int32_t> ranks;
  for_each_line(text, [&](std::size_t number, std::string_view line) {
    const std::string where = concat(file.string(), ": line ", number, ": ");
    const std::size_t space = std::min(line.find(' '), line.size());
    const auto token = decode_base64(line.substr(0, space));
    const auto rank = parse_rank(line.substr(std::min(space + 1, line.size())));
    BTC_REQUIRE(InputError, token && rank, where,
                "expected a token in base64 and its rank, found '", line.substr(0, 80), "'");
    BTC_REQUIRE(InputError, ids.emplace(*token, *rank).second, where, "the token occurs twice");
    BTC_REQUIRE(InputError, ranks.insert(*rank).second, where, "the rank ", *rank, " occurs twice");
  });
  return ids;
}

std::unique_ptr<Tokenizer> open_rank_tokenizer(const fs::path& file, const RankFamily& family,
                                               const TokenizerSettings& settings) {
  TokenizerParts parts;
  parts.rules.ids = read_ranks(file);
  BTC_REQUIRE(InputError, parts.rules.ids.size() == family.ranks, file.string(), ": ",
              parts.rules.ids.size(), " ranks, expected the ", family.ranks, " of ", family.name);
  for (const auto& [token, id] : parts.rules.ids) {
    BTC_REQUIRE(InputError, std::cmp_less(id, family.ranks), file.string(), ": rank ", id,
                ", expected 0 to ", family.ranks - 1);
    parts.texts.emplace(id, token);
  }
  parts.rules.whole_pieces = true;
  parts.rules.byte_symbols = true;
  parts.added_tokens = special_tokens(family, settings);
  if (family.nfc) {
    parts.normalizers.push_back(normal_form_step(NormalForm::kC));
  }
  parts.pre_tokenizers.push_back(covering_step(Pattern(family.pattern, family.name)));
  parts.usual_bos = id_among(parts.added_tokens, family.bos);
  for (const std::string& eos : family.eos) {
    if (const auto id = id_among(parts.added_tokens, eos)) {
      parts.usual_eos.push_back(*id);
    }
  }
  return make_pipeline_tokenizer(std::move(parts), settings, file);
}

}  // namespace btc
