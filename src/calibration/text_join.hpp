#pragma once
/// How the lines of a text become one string.

#include <array>
#include <string_view>

namespace btc {

/// `auto`: wikitext if the text looks like a WikiText raw file (a ` = Title = ` line among its
/// first lines), else verbatim. `c4`: the field `text` of JSON rows, joined by a space (@see
/// c4_text.hpp); never chosen by `auto`.
enum class TextJoin { kAuto, kWikitext, kVerbatim, kC4 };
inline constexpr std::array<std::string_view, 4> kTextJoinNames = {"auto", "wikitext", "verbatim",
                                                                   "c4"};

}  // namespace btc
