#include "calibration/c4_text.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "io/json_check.hpp"

namespace btc {

namespace {

constexpr int kMaxDepth = 64;

std::string text_of_row(std::string_view line, const std::string& where) {
  try {
    check_json(line, where, kMaxDepth);
  } catch (const FormatError& error) {  // a file of the user's: no retry mends it
    throw InputError(error.what());
  }
  const auto row = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  BTC_REQUIRE(InputError, row.is_object() && row.contains("text") && row.at("text").is_string(),
              where, ": expected a JSON object with a text in its field 'text'");
  return row.at("text").get<std::string>();
}

}  // namespace

C4Text join_c4(std::string_view jsonl, std::string_view origin) {
  C4Text result;
  for (std::size_t line_number = 1; !jsonl.empty(); ++line_number) {
    const std::size_t length = std::min(jsonl.find('\n'), jsonl.size());
    const std::string_view line = jsonl.substr(0, length);
    jsonl.remove_prefix(std::min(length + 1, jsonl.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      continue;
    }
    if (result.rows > 0) {
      result.text += ' ';
    }
    result.text += text_of_row(line, concat(origin, ": line ", line_number));
    ++result.rows;
  }
  BTC_REQUIRE(InputError, result.rows > 0, origin, ": no row, expected one JSON object per line");
  return result;
}

}  // namespace btc
