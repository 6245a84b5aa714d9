#pragma once
/// The words of a setting for the command line.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
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

/// Takes a whole number of at least `least`, which fits the type of its option. Without it an
/// option that is unsigned takes -1 for its largest value.
inline CLI::Validator at_least(std::uint64_t least) {
  const auto check = [least](const std::string& input) -> std::string {
    std::uint64_t value = 0;
    const auto* const end = input.data() + input.size();
    const auto parsed = std::from_chars(input.data(), end, value);
    if (parsed.ec == std::errc() && parsed.ptr == end && value >= least) {
      return {};
    }
    return "got '" + input + "', expected a whole number of at least " + std::to_string(least);
  };
  return {check, "(at least " + std::to_string(least) + ")"};
}

}  // namespace btc
