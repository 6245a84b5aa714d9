#pragma once
/// Cleaning of HellaSwag's texts.

#include <string>
#include <string_view>

namespace btc {

/// The harness's `preprocess`: white space stripped, ` [title]` becomes a full stop, other tags are
/// removed, then double spaces become single in one pass. Tags go after the strip, so that
/// `[substeps] Foo` becomes ` Foo`, with its space.
std::string hellaswag_text(std::string_view raw);

}  // namespace btc
