#pragma once
/// Texts in the form of C4: one JSON object per line.

#include <cstddef>
#include <string>
#include <string_view>

namespace btc {

/// The rows of a C4-style file as one text.
struct C4Text {
  std::string text;
  std::size_t rows = 0;
};

/// The field `text` of every row, joined by one space, as GPTQ's code does with the validation rows
/// of C4. Blank lines are passed over, other fields are not looked at.
/// @param origin begins the messages
/// @throws InputError naming the line: no JSON object, no text in its field `text`; or no row at
/// all
C4Text join_c4(std::string_view jsonl, std::string_view origin);

}  // namespace btc
