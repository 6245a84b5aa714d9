#include <cstring>

#include "common/error.hpp"
#include "tokenizer/pattern.hpp"

namespace btc {

namespace {

// PCRE2's own \s holds U+180E, which is no white space since Unicode 6.3; its \w lacks marks and
// letter-like symbols. Oniguruma's \w also holds the superscripts and fractions of Latin-1.
constexpr std::string_view kSpaceSet = R"(\x{9}-\x{d}\x{85}\p{Z})";
constexpr std::string_view kWordSet =
    R"(\p{Alphabetic}\p{M}\d\p{Pc}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";

class Translator {
 public:
  explicit Translator(std::string_view regex) : regex_(regex) {}

  std::string run() {
    while (at_ < regex_.size()) {
      if (regex_[at_] == '\\') {
        escape();
      } else if (in_set_) {
        set_character();
      } else {
        open_set();
      }
    }
    return std::move(result_);
  }

 private:
  void copy(std::size_t bytes) {
    result_ += regex_.substr(at_, bytes);
    at_ += bytes;
  }

  void open_set() {
    in_set_ = regex_[at_] == '[';
    copy(1);
    if (in_set_ && regex_.substr(at_).starts_with('^')) {
      copy(1);
    }
    depth_ = 1;
    BTC_REQUIRE(InputError, !in_set_ || !regex_.substr(at_).starts_with(']'),
                "']' right behind '[' is not supported");
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
    if (plain || std::string_view("dDpPrntfx").find(letter) != std::string_view::npos) {
      copy(2);
    } else if (letter == 's' || letter == 'S') {
      named_set(kSpaceSet, letter == 'S');
    } else if (letter == 'w' || letter == 'W') {
      named_set(kWordSet, letter == 'W');
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
  int depth_ = 0;  ///< sets that are open
  std::string result_;
};

}  // namespace

std::string to_pcre2(std::string_view regex) { return Translator(regex).run(); }

}  // namespace btc
