#include "tokenizer/pattern.hpp"

#include <array>
#include <optional>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "common/error.hpp"
#include "tokenizer/unicode.hpp"

namespace btc {

namespace {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <typename T, auto Free>
using Handle = std::unique_ptr<T, Deleter<Free>>;
using CompiledCode = Handle<pcre2_code, pcre2_code_free>;
using CompileContext = Handle<pcre2_compile_context, pcre2_compile_context_free>;
using MatchData = Handle<pcre2_match_data, pcre2_match_data_free>;

PCRE2_SPTR units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

std::string message_of(int error) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(error, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

CompiledCode compile(std::string_view regex, std::uint32_t options) {
  const CompileContext context(pcre2_compile_context_create(nullptr));
  BTC_CHECK(context != nullptr, "no memory for a regular expression");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE offset = 0;
  CompiledCode code(pcre2_compile(units(regex), regex.size(), PCRE2_UTF | options, &error, &offset,
                                  context.get()));
  BTC_REQUIRE(InputError, code != nullptr, message_of(error), " at byte ", offset, " of ", regex);
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // where there is none, the matcher is slower
  return code;
}

}  // namespace

struct Pattern::Code {
  CompiledCode compiled;
};

Pattern::Pattern(std::shared_ptr<const Code> code) : code_(std::move(code)) {}

Pattern::Pattern(std::string_view regex, std::string_view origin) {
  try {
    // In this dialect ^ and $ always stand at lines.
    code_ =
        std::make_shared<const Code>(Code{compile(to_pcre2(regex), PCRE2_UCP | PCRE2_MULTILINE)});
  } catch (const InputError& error) {
    BTC_THROW(InputError, origin, ": regular expression: ", error.what());
  }
}

Pattern Pattern::literal(std::string_view text) {
  return Pattern(std::make_shared<const Code>(Code{compile(text, PCRE2_LITERAL)}));
}

std::vector<TextRange> Pattern::split(std::string_view text) const {
  const MatchData data(pcre2_match_data_create(1, nullptr));
  BTC_CHECK(data != nullptr, "no memory for a match");
  std::vector<TextRange> ranges;
  const auto push = [&](std::size_t begin, std::size_t end, bool matched) {
    if (begin < end) {
      ranges.push_back({begin, end, matched});
    }
  };
  std::size_t done = 0;  // `ranges` ends here
  std::size_t from = 0;  // the next match starts here or later
  while (from < text.size()) {
    const auto match = [&](std::uint32_t options) {
      return pcre2_match(code_->compiled.get(), units(text), text.size(), from,
                         PCRE2_NO_UTF_CHECK | options, data.get(), nullptr);
    };
    int found = match(0);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {
      found = match(PCRE2_NO_JIT);
    }
    if (found == PCRE2_ERROR_NOMATCH) {
      break;
    }
    // 0 says that groups of the expression took part: there is room for the whole match only.
    BTC_REQUIRE(InputError, found >= 0, "byte ", from, " of a text: ", message_of(found));
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data.get());
    const std::size_t begin = bounds[0];
    const std::size_t end = bounds[1];
    push(done, begin, false);
    push(begin, end, true);
    done = end;
    from = begin < end || end == text.size() ? end : end + utf8_length(text[end]);
  }
  push(done, text.size(), false);
  return ranges;
}

}  // namespace btc
