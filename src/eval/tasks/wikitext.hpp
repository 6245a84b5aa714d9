#pragma once
/// Documents of a WikiText raw file and their plain text.

#include <string>
#include <string_view>
#include <vector>

namespace btc {

/// The pages of a raw file: one begins at each line with a title of the first level, ` = Title = `.
/// Pages of nothing but white space are dropped.
std::vector<std::string> wikitext_pages(std::string_view raw);
/// A page with the spaces of its tokenization removed, by the harness's rules in their order, its
/// mistakes included (`' 5/` keeps the pattern's own text).
std::string wikitext_detokenize(std::string_view page);

}  // namespace btc
