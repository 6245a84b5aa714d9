#include "tokenizer/decoder.hpp"

#include <utility>

#include "tokenizer/normalizer.hpp"
#include "tokenizer/unicode.hpp"

namespace btc {

namespace {

constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

/// Value of an upper- or lower-case hex digit, or -1.
int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') {
    return digit - '0';
  }
  const char lower = static_cast<char>(static_cast<unsigned char>(digit) | 0x20U);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string spell(const std::string& bytes) {
  if (!find_invalid_utf8(bytes)) {
    return bytes;
  }
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    text += kReplacementCharacter;
  }
  return text;
}

}  // namespace

int fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') {
    return -1;
  }
  const int high = hex_value(token[3]);
  const int low = hex_value(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

DecodeStep replace_decode_step(std::string from, std::string to) {
  return [from = std::move(from), to = std::move(to)](std::vector<std::string> tokens) {
    for (std::string& token : tokens) {
      token = replace_all(token, from, to);
    }
    return tokens;
  };
}

DecodeStep byte_fallback_decode_step() {
  return [](const std::vector<std::string>& tokens) {
    std::vector<std::string> result;
    std::string bytes;
    const auto flush = [&] {
      if (!bytes.empty()) {
        result.push_back(spell(bytes));
        bytes.clear();
      }
    };
    for (const std::string& token : tokens) {
      const int byte = fallback_byte(token);
      if (byte >= 0) {
        bytes += static_cast<char>(byte);
      } else {
        flush();
        result.push_back(token);
      }
    }
    flush();
    return result;
  };
}

DecodeStep fuse_decode_step() {
  return [](const std::vector<std::string>& tokens) {
    std::string text;
    for (const std::string& token : tokens) {
      text += token;
    }
    return std::vector<std::string>{text};
  };
}

DecodeStep space_decode_step() {
  return [](const std::vector<std::string>& tokens) {
    std::string text;
    for (const std::string& token : tokens) {
      text += (&token == &tokens.front() ? "" : " ") + token;
    }
    return std::vector{std::move(text)};
  };
}

DecodeStep strip_decode_step(std::string content, std::size_t start, std::size_t stop) {
  return [=, content = std::move(content)](std::vector<std::string> tokens) {
    for (std::string& token : tokens) {
      for (std::size_t i = 0; i < start && token.starts_with(content); ++i) {
        token.erase(0, content.size());
      }
      for (std::size_t i = 0; i < stop && token.ends_with(content); ++i) {
        token.erase(token.size() - content.size());
      }
    }
    return tokens;
  };
}

DecodeStep metaspace_decode_step(std::string replacement, bool prefixed) {
  return [=, replacement = std::move(replacement)](std::vector<std::string> tokens) {
    bool first = true;
    for (std::string& token : tokens) {
      token = replace_all(token, replacement, first && prefixed ? "" : " ");
      first = false;
    }
    return tokens;
  };
}

std::string join_decoded(const std::vector<DecodeStep>& steps, std::vector<std::string> tokens) {
  for (const DecodeStep& step : steps) {
    tokens = step(std::move(tokens));
  }
  std::string text;
  for (const std::string& token : tokens) {
    text += token;
  }
  return text;
}

}  // namespace btc
