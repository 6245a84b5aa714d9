#pragma once
/// The steps from the texts of tokens to one text.

#include <functional>
#include <string>
#include <vector>

namespace btc {

/// Texts of tokens in, texts out; the last step's are joined.
using DecodeStep = std::function<std::vector<std::string>(std::vector<std::string>)>;

/// In each text.
DecodeStep replace_decode_step(std::string from, std::string to);
/// Texts `<0xAB>` in a row become the characters that their bytes spell, or one U+FFFD per byte if
/// they spell none.
DecodeStep byte_fallback_decode_step();
/// All texts become one.
DecodeStep fuse_decode_step();
/// Takes up to `start` times `content` from the start of each text, up to `stop` times from its
/// end. @pre content is not empty
DecodeStep strip_decode_step(std::string content, std::size_t start, std::size_t stop);
/// `replacement` becomes a space; in the first text it vanishes if `prefixed`.
DecodeStep metaspace_decode_step(std::string replacement, bool prefixed);

/// All texts become one, with a space between two.
DecodeStep space_decode_step();

/// The byte that a token `<0xAB>` stands for, or -1.
int fallback_byte(std::string_view token);

std::string join_decoded(const std::vector<DecodeStep>& steps, std::vector<std::string> tokens);

}  // namespace btc
