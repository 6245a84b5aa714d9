#include "calibration/tokens.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "calibration/c4_text.hpp"
#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/rng.hpp"
#include "common/white_space.hpp"
#include "io/atomic_file.hpp"
#include "tokenizer/unicode.hpp"

namespace btc {

namespace {

/// Calls `visit` with each line, its LF included; there is no line behind the last LF.
template <typename Visit>
void for_each_line(std::string_view raw, Visit visit) {
  while (!raw.empty()) {
    const std::size_t lf = raw.find('\n');
    const std::size_t length = lf == std::string_view::npos ? raw.size() : lf + 1;
    visit(raw.substr(0, length));
    raw.remove_prefix(length);
  }
}

std::size_t count_lines(std::string_view raw) {
  std::size_t lines = 0;
  for_each_line(raw, [&](std::string_view) { ++lines; });
  return lines;
}

/// A ` = Title = ` line among the first lines.
bool looks_like_wikitext(std::string_view raw) {
  constexpr std::size_t kFirstLines = 16;
  std::size_t line_number = 0;
  bool found = false;
  for_each_line(raw.substr(0, 65536), [&](std::string_view line) {
    line = strip_end(line);
    found = found || (line_number < kFirstLines && line.size() > 5 && line.starts_with(" = ") &&
                      line.ends_with(" ="));
    ++line_number;
  });
  return found;
}

/// Counts on which independent implementations agree.
struct KnownCount {
  std::string_view text_sha256;
  std::string_view tokenizer_sha256;
  bool add_bos;
  std::size_t ids;
};
// WikiText-2 raw test, joined.
constexpr std::string_view kWikiTextTest =
    "696cca6b65a171b0a358a4be6732cdfdf2dd6164a32e20fd70e3c13fc4dfae83";
constexpr std::array<KnownCount, 3> kKnownCounts = {{
    // LLaMA-1 and LLaMA-2: tokenizer.model
    {kWikiTextTest, "9e556afd44213b6bd1be2b850ebbbd98f5481437a8021afaf58ee7fb1818d347", true,
     341469},
    // LLaMA-3: tokenizer.model
    {kWikiTextTest, "82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55", true,
     289077},
    // Qwen: qwen.tiktoken
    {kWikiTextTest, "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186", false,
     299078},
}};

}  // namespace

std::string join_wikitext(std::string_view raw) {
  std::string text;
  text.reserve(raw.size() + raw.size() / 8);
  bool first = true;
  for_each_line(raw, [&](std::string_view line) {
    if (!first) {
      text += "\n\n";
    }
    first = false;
    if (!strip(line).empty()) {
      text += line;
    }
  });
  return text;
}

std::optional<std::size_t> expected_ids(const TokenizedText& text) {
  for (const KnownCount& known : kKnownCounts) {
    if (known.text_sha256 == text.text_sha256 && known.tokenizer_sha256 == text.tokenizer_sha256 &&
        known.add_bos == text.add_bos) {
      return known.ids;
    }
  }
  return std::nullopt;
}

TokenizedText tokenize_file(const Tokenizer& tokenizer, const std::filesystem::path& path,
                            TextJoin join) {
  const std::string raw = read_text_file(path);
  BTC_REQUIRE(InputError, !raw.empty(), path.string(), ": the text is empty");
  require_utf8_file(raw, path.string());
  if (join == TextJoin::kAuto) {
    join = looks_like_wikitext(raw) ? TextJoin::kWikitext : TextJoin::kVerbatim;
  }
  TokenizedText result;
  result.join = kTextJoinNames.at(static_cast<std::size_t>(join));
  result.rows = count_lines(raw);
  std::string text;
  if (join == TextJoin::kC4) {
    C4Text c4 = join_c4(raw, path.string());
    text = std::move(c4.text);
    result.rows = c4.rows;
  } else {
    text = join == TextJoin::kWikitext ? join_wikitext(raw) : raw;
  }
  result.text_bytes = text.size();
  result.text_sha256 = sha256_hex(text);
  result.tokenizer_sha256 = tokenizer.file_sha256();
  result.vocab_size = tokenizer.vocab_size();
  result.ids = tokenizer.encode(text);
  if (const auto bos = tokenizer.bos_id()) {
    result.add_bos = true;
    result.ids.insert(result.ids.begin(), *bos);
  }
  const std::size_t expected = expected_ids(result).value_or(result.ids.size());
  BTC_REQUIRE(InputError, result.ids.size() == expected, path.string(), ": ", result.ids.size(),
              " ids, but this text gives ", expected, " with this tokenizer elsewhere");
  return result;
}

Matrix<std::int32_t> sample_windows(const std::vector<std::int32_t>& ids, std::size_t samples,
                                    std::size_t window, std::uint64_t seed) {
  BTC_REQUIRE(InputError, window > 0 && ids.size() >= window, "a text of ", ids.size(),
              " ids is shorter than one window of ", window);
  Matrix<std::int32_t> windows(samples, window);
  Rng rng(seed);
  const std::uint64_t offset = rng.below(ids.size() % window + 1);
  std::vector<std::uint64_t> cells(ids.size() / window);
  std::iota(cells.begin(), cells.end(), 0);
  for (std::size_t s = 0; s < samples; ++s) {
    std::uint64_t start = 0;
    if (s < cells.size()) {  // one more step of a shuffle
      std::swap(cells[s], cells[s + rng.below(cells.size() - s)]);
      start = offset + cells[s] * window;
    } else {
      start = rng.below(ids.size() - window + 1);
    }
    std::copy_n(ids.begin() + static_cast<std::ptrdiff_t>(start), window, windows.row(s).begin());
  }
  return windows;
}

Matrix<std::int32_t> cut_windows(const std::vector<std::int32_t>& ids, std::size_t window) {
  BTC_REQUIRE(InputError, window > 0 && ids.size() >= window, "a text of ", ids.size(),
              " ids is shorter than one window of ", window);
  Matrix<std::int32_t> windows(ids.size() / window, window);
  std::copy_n(ids.begin(), windows.size(), windows.values().begin());
  return windows;
}

}  // namespace btc
