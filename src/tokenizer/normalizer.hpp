#pragma once
/// What is done to a text before it is cut into pieces.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/unicode.hpp"

namespace btc {

using NormalizeStep = std::function<std::string(std::string)>;

/// `text` with every `from` replaced, from left to right. @pre from is not empty
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

NormalizeStep normal_form_step(NormalForm form);
/// `prefix` in front of a text that is not empty.
NormalizeStep prepend_step(std::string prefix);
NormalizeStep replace_step(std::string from, std::string to);

/// All steps, one after the other.
std::string normalize(const std::vector<NormalizeStep>& steps, std::string text);

}  // namespace btc
