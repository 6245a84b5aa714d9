#pragma once
/// Where every byte of a packed model goes.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/safetensors.hpp"

namespace btc {

/// Bytes of one category of one object (a tensor's owner) in one file.
struct LedgerLine {
  std::string file;
  std::string object;
  std::string category;
  std::uint64_t bytes = 0;
  bool operator==(const LedgerLine&) const = default;
};

/// Line of a tensor of the packed format, by its name. @throws FormatError for a name that the
/// format does not have
LedgerLine ledger_line_of(const TensorView& tensor, std::string_view file);

/// All lines of a packed file, its header as `container`, objects and categories ascending.
/// @throws FormatError, also if the lines do not sum to the size of the file
std::vector<LedgerLine> ledger_of(const SafetensorsFile& file);

/// Categories in printing order: signs, residual, codebook, scales, column_scales, group_map,
/// salient_map, transform, shape, container, bias, norm, embedding, head.
const std::vector<std::string>& ledger_categories();

/// Sum per category in the order above (file and object empty), those without bytes left out.
std::vector<LedgerLine> totals_by_category(const std::vector<LedgerLine>& lines);
std::uint64_t total_bytes(const std::vector<LedgerLine>& lines);

/// The four figures that are always printed together. @see docs/file_formats.md
struct BitNumbers {
  double nominal = 0;  ///< log2(c) / v, 1 for free signs
  double sign = 0;     ///< 8 (signs + residual + codebook) / linear weights
  double stored = 0;   ///< 8 (every byte of the Linears, codebooks, transforms, block containers) /
                       ///< linear weights
  double model = 0;    ///< 8 safetensors bytes / parameters of the source
  bool operator==(const BitNumbers&) const = default;
};
/// A header counts for `stored` if its file holds a Linear; norms, embeddings and head do not.
BitNumbers bit_numbers(const std::vector<LedgerLine>& lines, double nominal,
                       std::uint64_t linear_weights, std::uint64_t parameters);

}  // namespace btc
