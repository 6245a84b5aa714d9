#pragma once
/// Token sequences for calibration and perplexity, and the HDF5 files they are kept in.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "calibration/text_join.hpp"
#include "common/matrix.hpp"
#include "tokenizer/tokenizer.hpp"

namespace btc {

/// A tokenized text. @see docs/file_formats.md, schema btc.ppl
struct TokenizedText {
  std::vector<std::int32_t> ids;
  bool add_bos = false;  ///< ids[0] is BOS
  std::string join;      ///< `wikitext`, `verbatim` or `c4`
  std::size_t rows = 0;  ///< lines of the file; documents of a C4 file
  std::size_t text_bytes = 0;
  std::string text_sha256;  ///< of the joined text
  std::string tokenizer_sha256;
  std::size_t vocab_size = 0;
};

/// The GPTQ protocol's text: rows (blank rows empty, others with their LF) joined by a blank line.
/// Lines end at LF only; a line is blank if it holds nothing but Unicode white space.
std::string join_wikitext(std::string_view raw);

/// Reads, joins and tokenizes a file: BOS once at the very start if the tokenizer has one.
/// @throws IoError; InputError if the text is empty or not UTF-8 (naming line and byte), or if text
///         and tokenizer are a pair whose number of ids is known and another number came out
TokenizedText tokenize_file(const Tokenizer& tokenizer, const std::filesystem::path& path,
                            TextJoin join);

/// How many ids a text of this SHA-256 must give with a tokenizer of this SHA-256, where that is
/// known from independent implementations. @see docs/evaluation.md
std::optional<std::size_t> expected_ids(const TokenizedText& text);

/// Ids must be rows of a model's embedding, which may have more rows than the tokenizer has ids.
/// @param origin begins the message
/// @throws FormatError if there are none; InputError naming an id outside [0, vocab_size)
void check_ids(std::span<const std::int32_t> ids, std::size_t vocab_size,
               const std::string& origin);

/// Schema btc.ppl: flat ids of a text under /text/ids.
void write_token_file(const std::filesystem::path& path, const TokenizedText& text);
/// Schema btc.calibration: sequences [S, T].
void write_sequences(const std::filesystem::path& path, const Matrix<std::int32_t>& sequences,
                     std::size_t vocab_size, const std::string& source);

/// What a token file held: either flat ids or sequences.
struct TokenFile {
  std::optional<TokenizedText> text;
  std::optional<Matrix<std::int32_t>> sequences;
  std::string content_sha256;
};
/// Reads either schema. @throws FormatError; InputError if an id is outside [0, vocab_size)
TokenFile read_token_file(const std::filesystem::path& path, std::size_t vocab_size);

/// `samples` windows of `window` ids, drawn at random by `seed` [samples, window]. They do not
/// overlap (so that samples which are held out share nothing with the others) as long as the text
/// lasts; those beyond that start anywhere.
/// @throws InputError if the text is shorter than a window
Matrix<std::int32_t> sample_windows(const std::vector<std::int32_t>& ids, std::size_t samples,
                                    std::size_t window, std::uint64_t seed);
/// All full windows in order, the tail dropped [n, window]. @throws InputError if there is none
Matrix<std::int32_t> cut_windows(const std::vector<std::int32_t>& ids, std::size_t window);

}  // namespace btc
