#pragma once
/// The formats of which packed blocks are fuzzed, together with every branch of the reader.

#include <vector>

#include "pack/packed_block.hpp"

namespace btc::fuzz {

inline PackedFormat with_codebook(int vector_length, std::size_t codebook_size,
                                  CodebookScope scope) {
  PackedFormat format;
  format.vector_length = vector_length;
  format.codebook_size = codebook_size;
  format.scope = scope;
  format.index_coding = index_coding_for(codebook_size);
  format.panel = 48;
  format.groups = 3;
  return format;
}

/// Input byte 0 of the target chooses one, modulo their number.
inline std::vector<PackedFormat> packed_formats() {
  std::vector<PackedFormat> formats = {with_codebook(12, 300, CodebookScope::kLinear),
                                       with_codebook(16, 40, CodebookScope::kModel),
                                       with_codebook(8, 20, CodebookScope::kBlockGroup)};
  PackedFormat masked = with_codebook(8, 20, CodebookScope::kLinear);
  masked.masked = true;
  masked.index_coding = IndexCoding::kFixed;
  formats.push_back(masked);
  PackedFormat sparse;  // free signs, Rice-coded map, 8-bit scales of rows and columns
  sparse.groups = 2;
  sparse.mean = false;
  sparse.salient = false;
  sparse.column_scale = true;
  sparse.rice_group_map = true;
  sparse.group_ratio = true;
  sparse.int8_scales = true;
  formats.push_back(sparse);
  PackedFormat columns;  // ARB-RC with groups of salient entries
  columns.groups = 2;
  columns.panel = 48;
  columns.mean = false;
  columns.column_scale = true;
  columns.group_column_scale = true;
  columns.salient_groups = 2;
  formats.push_back(columns);
  PackedFormat levels;
  levels.level_bits = 3;
  levels.panel = 48;
  levels.mean = false;
  levels.salient = false;
  formats.push_back(levels);
  PackedFormat transformed = with_codebook(16, 300, CodebookScope::kBlock);
  transformed.transform = true;
  formats.push_back(transformed);
  return formats;
}

}  // namespace btc::fuzz
