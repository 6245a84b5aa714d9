#include "io/format_version.hpp"

#include <algorithm>

#include "common/error.hpp"

namespace btc {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char digit) { return digit >= '0' && digit <= '9'; });
}

}  // namespace

void check_version(std::string_view found, std::string_view ours, std::string_view origin) {
  const std::string_view major = ours.substr(0, ours.find('.'));
  const std::size_t dot = found.find('.');
  const bool known = dot != std::string_view::npos && found.substr(0, dot) == major &&
                     is_number(found.substr(dot + 1));
  BTC_REQUIRE(FormatError, known, origin, ": version \"", found, "\", expected ", major,
              ".x: written by another version of this program");
}

}  // namespace btc
