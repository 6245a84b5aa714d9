#pragma once
/// The words of a setting for the command line.

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace btc {

/// Word -> value, for CLI::CheckedTransformer. @param names in the order of the values, from 0
template <typename Enum, std::size_t N>
std::map<std::string, Enum> choices_of(const std::array<std::string_view, N>& names) {
  std::map<std::string, Enum> choices;
  for (std::size_t value = 0; value < N; ++value) {
    choices.emplace(names[value], static_cast<Enum>(value));
  }
  return choices;
}

}  // namespace btc
