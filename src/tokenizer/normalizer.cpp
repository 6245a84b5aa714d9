#include "tokenizer/normalizer.hpp"

#include <utility>

namespace btc {

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  result.reserve(text.size());
  std::size_t at = 0;
  for (std::size_t found = text.find(from); found != std::string_view::npos;
       found = text.find(from, at)) {
    result += text.substr(at, found - at);
    result += to;
    at = found + from.size();
  }
  result += text.substr(at);
  return result;
}

NormalizeStep normal_form_step(NormalForm form) {
  return [form](std::string text) { return to_normal_form(std::move(text), form); };
}

NormalizeStep prepend_step(std::string prefix) {
  return [prefix = std::move(prefix)](std::string text) {
    if (!text.empty()) {
      text.insert(0, prefix);
    }
    return text;
  };
}

NormalizeStep replace_step(std::string from, std::string to) {
  return [from = std::move(from), to = std::move(to)](const std::string& text) {
    return replace_all(text, from, to);
  };
}

std::string normalize(const std::vector<NormalizeStep>& steps, std::string text) {
  for (const NormalizeStep& step : steps) {
    text = step(std::move(text));
  }
  return text;
}

}  // namespace btc
