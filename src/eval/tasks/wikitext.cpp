#include "eval/tasks/wikitext.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "common/white_space.hpp"
#include "eval/python_text.hpp"
#include "eval/tasks/task.hpp"

namespace btc {

namespace {

using Replacement = std::pair<std::string_view, std::string_view>;

std::string replace_each(std::string text, std::span<const Replacement> replacements) {
  for (const auto& [from, to] : replacements) {
    text = replace_all(text, from, to);
  }
  return text;
}

/// `re.sub(r"/' [0-9]/", r"/'[0-9]/", text)`: the digit is lost to the text of the pattern.
std::string break_slashed_digits(std::string_view text) {
  constexpr std::string_view kStart = "/' ";
  std::string result;
  while (true) {
    const std::size_t found = text.find(kStart);
    if (found == std::string_view::npos) {
      return result += text;
    }
    const std::string_view tail = text.substr(found + kStart.size());
    const bool matches = tail.size() >= 2 && tail[0] >= '0' && tail[0] <= '9' && tail[1] == '/';
    result += text.substr(0, found);
    result += matches ? "/'[0-9]/" : "/";
    text.remove_prefix(found + (matches ? kStart.size() + 2 : 1));
  }
}

/// White space between `open` and the next `close` and what they enclose is dropped.
std::string tighten(std::string_view text, char open, char close) {
  std::string result;
  while (true) {
    const std::size_t begin = text.find(open);
    const std::size_t end = begin == std::string_view::npos ? begin : text.find(close, begin + 1);
    if (end == std::string_view::npos) {
      return result += text;
    }
    result += text.substr(0, begin + 1);
    result += strip(text.substr(begin + 1, end - begin - 1));
    result += close;
    text.remove_prefix(end + 1);
  }
}

/// A title of the first level.
bool starts_page(std::string_view line) {
  const std::string shorter = replace_all(replace_all(line, "= = =", "==="), "= =", "==");
  const std::string_view title = strip(shorter);
  return title.starts_with("= ") && title.ends_with(" =");
}

Document page_document(const std::string& page) {
  Document document;
  document.requests.push_back({"", wikitext_detokenize(page)});
  document.words = static_cast<std::int64_t>(split_count(page));
  document.bytes = static_cast<std::int64_t>(page.size());
  return document;
}

Document from_row(const JsonRow& row) { return page_document(row.filled_text("page")); }

std::vector<Document> from_raw(std::string_view text) {
  std::vector<Document> documents;
  for (const std::string& page : wikitext_pages(text)) {
    documents.push_back(page_document(page));
  }
  return documents;
}

}  // namespace

std::vector<std::string> wikitext_pages(std::string_view raw) {
  std::vector<std::string> pages;
  const auto add = [&](std::string_view page) {
    if (!strip(page).empty()) {
      pages.emplace_back(page);
    }
  };
  std::size_t page_start = 0;
  for (std::size_t at = 0; at <= raw.size();) {
    const std::size_t end = std::min(raw.find('\n', at), raw.size());
    if (at > page_start && starts_page(raw.substr(at, end - at))) {
      add(raw.substr(page_start, at - 1 - page_start));
      page_start = at;
    }
    at = end + 1;
  }
  add(raw.substr(page_start));
  return pages;
}

std::string wikitext_detokenize(std::string_view page) {
  constexpr std::array<Replacement, 9> kSeparators = {{{" @-@ ", "-"},
                                                       {" @,@ ", ","},
                                                       {" @.@ ", "."},
                                                       {" : ", ": "},
                                                       {" ; ", "; "},
                                                       {" . ", ". "},
                                                       {" ! ", "! "},
                                                       {" ? ", "? "},
                                                       {" , ", ", "}}};
  constexpr std::array<Replacement, 8> kRest = {{{"= = = =", "===="},
                                                 {"= = =", "==="},
                                                 {"= =", "=="},
                                                 {" \xC2\xB0 ", "\xC2\xB0"},
                                                 {" \n", "\n"},
                                                 {"\n ", "\n"},
                                                 {" N ", " 1 "},
                                                 {" 's", "'s"}}};
  std::string text = break_slashed_digits(replace_all(page, "s '", "s'"));
  text = replace_each(std::move(text), kSeparators);
  for (const auto& [open, close] : {std::pair('(', ')'), std::pair('[', ']'), std::pair('{', '}'),
                                    std::pair('"', '"'), std::pair('\'', '\'')}) {
    text = tighten(text, open, close);
  }
  return replace_each(std::move(text), kRest);
}

Task wikitext_task() {
  return {.name = "wikitext",
          .file = "wiki.test",
          .split = "test",
          .version = 2,
          .kind = TaskKind::kRolling,
          .metrics = {Metric::kWordPerplexity, Metric::kBytePerplexity, Metric::kBitsPerByte},
          .from_row = from_row,
          .from_raw = from_raw};
}

}  // namespace btc
