#pragma once
/// The words of a setting for the command line.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace btc {

/// Takes one of these words and nothing else, and shows them in the help: for `transform` of an
/// option that is an enumeration. @param names in the order of its values, from 0
template <std::size_t N>
CLI::Validator one_of(const std::array<std::string_view, N>& names) {
  std::string words;
  for (const std::string_view name : names) {
    words += (words.empty() ? "" : ", ") + std::string(name);
  }
  const auto to_value = [names, words](std::string& input) -> std::string {
    const auto found = std::ranges::find(names, input);
    if (found == names.end()) {
      return "got '" + input + "', expected one of " + words;
    }
    input = std::to_string(found - names.begin());
    return {};
  };
  return {to_value, "(" + words + ")"};
}

}  // namespace btc
