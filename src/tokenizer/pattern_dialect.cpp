#include <algorithm>
#include <cstring>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "common/error.hpp"
#include "tokenizer/pattern.hpp"

namespace btc {

namespace {

// PCRE2's own \s holds U+180E, which is no white space since Unicode 6.3; its \w lacks marks and
// letter-like symbols. Oniguruma's \w also holds the superscripts and fractions of Latin-1, but
// not within a set.
constexpr std::string_view kSpaceSet = R"(\x{9}-\x{d}\x{85}\p{Z})";
constexpr std::string_view kWordSet = R"(\p{Alphabetic}\p{M}\d\p{Pc})";
constexpr std::string_view kLatin1Numbers = R"(\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";

constexpr std::string_view kDigits = "0123456789";

bool is_script(std::string_view name) {
  const std::string regex = concat("\\p{sc:", name, "}");
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* const code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(regex.data()), regex.size(),
                                         PCRE2_UTF, &error, &offset, nullptr);
  pcre2_code_free(code);
  return code != nullptr;
}

/// `{2}`, `{2,}`, `{2,3}` or `{,3}`: how often what stands before it comes.
struct Interval {
  std::string_view least;
  std::string_view most;
  bool comma = false;
  std::size_t bytes = 0;  ///< 0: there is none, the brace is a character
};

Interval read_interval(std::string_view rest) {
  Interval found;
  const auto number = [&](std::size_t from) {
    return rest.substr(from, std::min(rest.find_first_not_of(kDigits, from), rest.size()) - from);
  };
  found.least = number(1);
  std::size_t end = 1 + found.least.size();
  found.comma = rest.substr(end).starts_with(',');
  if (found.comma) {
    found.most = number(end + 1);
    end += 1 + found.most.size();
  }
  const bool any_number = !found.least.empty() || !found.most.empty();
  found.bytes = any_number && rest.substr(end).starts_with('}') ? end + 1 : 0;
  return found;
}

class Translator {
 public:
  explicit Translator(std::string_view regex) : regex_(regex) {}

  std::string run() {
    while (at_ < regex_.size()) {
      const std::string_view rest = regex_.substr(at_);
      if (rest.starts_with('\\')) {
        escape();
      } else if (in_set_) {
        set_character();
      } else if (rest.starts_with("(?")) {
        group();
      } else if (rest.starts_with('{')) {
        interval();
      } else {
        character();
      }
    }
    return std::move(result_);
  }

 private:
  void copy(std::size_t bytes) {
    result_ += regex_.substr(at_, bytes);
    at_ += bytes;
  }

  void character() {
    const char c = regex_[at_];
    if (c == '(') {
      open_groups_.push_back(result_.size());
    } else if (c == ')' && !open_groups_.empty()) {
      item_ = open_groups_.back();
      open_groups_.pop_back();
    } else if (std::string_view("*+?|").find(c) == std::string_view::npos && !is_utf8_tail(c)) {
      item_ = result_.size();
    }
    copy(1);
    branch_start_ = c == '(' || c == '|';
    if (c == '[') {
      open_set();
    }
  }

  static bool is_utf8_tail(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

  void open_set() {
    in_set_ = true;
    if (regex_.substr(at_).starts_with('^')) {
      copy(1);
    }
    depth_ = 1;
    BTC_REQUIRE(InputError, !regex_.substr(at_).starts_with(']'),
                "']' right behind '[' is not supported");
  }

  /// Option `m` lets a dot match line feeds: PCRE2's `s`. `(?i)` lasts to the end of its group:
  /// what stands before it in its branch would not come before the branches behind it.
  void group() {
    open_groups_.push_back(result_.size());
    copy(2);
    const std::string_view rest = regex_.substr(at_);
    const std::size_t options = std::min(rest.find_first_not_of("imx-"), rest.size());
    const std::string_view end = rest.substr(options, 1);
    if (options > 0 && (end == ":" || end == ")")) {
      BTC_REQUIRE(InputError, end == ":" || branch_start_,
                  "options behind the start of a branch are not supported");
      std::string letters(rest.substr(0, options));
      std::replace(letters.begin(), letters.end(), 'm', 's');
      result_ += letters + std::string(end);
      at_ += options + 1;
      if (end == ")") {
        open_groups_.pop_back();
      }
    } else if (end == ":") {
      copy(1);
    }
    branch_start_ = true;
  }

  /// `+` behind an interval repeats it, `?` behind a single number makes it optional; in PCRE2 they
  /// are kinds of matching.
  void interval() {
    const Interval found = read_interval(regex_.substr(at_));
    if (found.bytes == 0) {
      character();
      return;
    }
    if (found.least.empty()) {
      result_ += "{0";
      at_ += 1;
      copy(found.bytes - 1);
    } else {
      copy(found.bytes);
    }
    const std::string_view rest = regex_.substr(at_);
    if (rest.starts_with('+') || (rest.starts_with('?') && !found.comma)) {
      result_.insert(item_, "(?:");
      result_ += ')';
    }
  }

  /// `\p{Han}`: in PCRE2 the characters that the script shares with others, too, unless told
  /// otherwise.
  void property() {
    const std::string_view rest = regex_.substr(at_);
    const std::size_t close = rest.find('}');
    BTC_REQUIRE(InputError, rest.substr(2).starts_with('{') && close != std::string_view::npos,
                "the escape ", rest.substr(0, 2), " without braces is not supported");
    std::string_view name = rest.substr(3, close - 3);
    const bool negated = name.starts_with('^');
    name.remove_prefix(negated ? 1 : 0);
    result_ +=
        concat(rest.substr(0, 3), negated ? "^" : "", is_script(name) ? "sc:" : "", name, "}");
    at_ += close + 1;
  }

  /// A set within a set adds to it, so its brackets can be left out.
  void set_character() {
    const std::string_view rest = regex_.substr(at_);
    BTC_REQUIRE(InputError, !rest.starts_with("&&"), "'&&' within a set is not supported");
    if (rest.starts_with('[')) {
      BTC_REQUIRE(InputError, rest.size() > 1 && !std::strchr("^:]", rest[1]), "'",
                  rest.substr(0, 2), "' within a set is not supported");
      ++depth_;
      ++at_;
    } else if (rest.starts_with(']') && --depth_ > 0) {
      ++at_;
    } else {
      in_set_ = depth_ > 0;
      copy(1);
    }
  }

  void escape() {
    const std::string_view rest = regex_.substr(at_);
    BTC_REQUIRE(InputError, rest.size() > 1, "ends with a backslash");
    const char letter = rest[1];
    const bool plain = (letter & 0x80) != 0 ||
                       std::string_view("\\^$.|?*+()[]{}-/'\"<>=!:,;#&@~%_` ").find(letter) !=
                           std::string_view::npos;
    branch_start_ = false;
    item_ = in_set_ ? item_ : result_.size();
    if (plain || std::string_view("dDrntf").find(letter) != std::string_view::npos) {
      copy(2);
    } else if (letter == 'p' || letter == 'P') {
      property();
    } else if (letter == 'x') {
      const bool braces = rest.substr(2).starts_with('{');
      copy(braces ? std::min(rest.find('}'), rest.size() - 1) + 1 : 2);
    } else if (letter == 's' || letter == 'S') {
      named_set(kSpaceSet, letter == 'S');
    } else if (letter == 'w' || letter == 'W') {
      named_set(in_set_ ? std::string(kWordSet) : concat(kWordSet, kLatin1Numbers), letter == 'W');
    } else if (letter == 'u' && rest.size() >= 6) {
      result_ += concat("\\x{", rest.substr(2, 4), "}");
      at_ += 6;
    } else {
      BTC_THROW(InputError, "the escape \\", letter, " is not supported");
    }
  }

  void named_set(std::string_view set, bool negated) {
    BTC_REQUIRE(InputError, !(in_set_ && negated), "the escape ", regex_.substr(at_, 2),
                " within a set is not supported");
    result_ += in_set_ ? std::string(set) : concat(negated ? "[^" : "[", set, "]");
    at_ += 2;
  }

  std::string_view regex_;
  std::size_t at_ = 0;
  bool in_set_ = false;
  int depth_ = 0;                         ///< sets that are open
  std::vector<std::size_t> open_groups_;  ///< where they start in `result_`
  std::size_t item_ = 0;                  ///< where what a quantifier repeats starts in `result_`
  bool branch_start_ = true;              ///< nothing stands before in this branch of its group
  std::string result_;
};

}  // namespace

std::string to_pcre2(std::string_view regex) { return Translator(regex).run(); }

}  // namespace btc
