#pragma once
/// Every kind of packed format, with what a test draws for it.

#include <cstddef>
#include <vector>

#include "pack/packed_block.hpp"

namespace btc::test {

/// A format, how many codewords exist and how many columns are salient.
struct PackedCase {
  const char* name;
  PackedFormat format;
  std::size_t codewords;
  std::size_t salient;
  double upper_share = 0.5;
};

inline PackedFormat make_format(int v, std::size_t c, CodebookScope scope, std::size_t panel,
                                std::size_t groups) {
  PackedFormat format;
  format.vector_length = v;
  format.codebook_size = c;
  format.scope = scope;
  format.index_coding = c == 0 ? IndexCoding::kFixed : index_coding_for(c);
  format.panel = panel;
  format.groups = groups;
  return format;
}

inline PackedFormat row_format(PackedFormat format, bool rice) {
  format.mean = false;
  format.column_scale = true;
  format.rice_group_map = rice;
  return format;
}

inline PackedFormat with_salient_groups(PackedFormat format) {
  format.salient_groups = format.groups;
  return format;
}

inline PackedFormat uniform_format(int bits, std::size_t panel) {
  PackedFormat format = make_format(0, 0, CodebookScope::kModel, panel, 1);
  format.level_bits = bits;
  format.mean = false;
  format.salient = false;
  return format;
}

inline PackedFormat given_format(PackedFormat format) {
  format = row_format(format, false);
  format.column_mean = true;
  format.salient = false;
  return format;
}

inline PackedFormat with_coding(PackedFormat format, IndexCoding coding) {
  format.index_coding = coding;
  return format;
}

inline PackedFormat masked_format(PackedFormat format) {
  format.masked = true;
  return format;
}

inline PackedFormat linear_code_format(std::size_t panel, std::size_t groups) {
  PackedFormat format = make_format(20, 65536, CodebookScope::kModel, panel, groups);
  format.codec = Codec::kLinear2016;
  return format;
}

inline PackedFormat row_column_format(std::size_t groups, std::size_t salient_groups) {
  PackedFormat format = make_format(0, 0, CodebookScope::kModel, 128, groups);
  format.mean = false;
  format.column_scale = true;
  format.group_column_scale = true;
  format.salient_groups = salient_groups;
  return format;
}

inline PackedFormat ratio_format(PackedFormat format) {
  format.mean = false;
  format.column_scale = true;
  format.group_ratio = true;
  return format;
}

inline PackedFormat int8_format(PackedFormat format) {
  format = ratio_format(format);
  format.int8_scales = true;
  format.salient = false;
  return format;
}

inline std::vector<PackedCase> packed_cases() {
  using Scope = CodebookScope;
  return {
      {"NoCodec", make_format(0, 0, Scope::kModel, 128, 3), 0, 9},
      {"NoCodecNoGroupsNoSalient", make_format(0, 0, Scope::kModel, 128, 1), 0, 0},
      {"SalientGroups", with_salient_groups(make_format(0, 0, Scope::kModel, 128, 2)), 0, 9},
      {"FourSalientGroups", with_salient_groups(make_format(8, 100, Scope::kBlock, 64, 4)), 100,
       17},
      {"LinearRadix", make_format(16, 7131, Scope::kLinear, 128, 3), 7131, 20},
      {"LinearFixed",
       with_coding(make_format(16, 7131, Scope::kLinear, 128, 3), IndexCoding::kFixed), 40, 20},
      {"FewerCodewordsThanConfigured", make_format(16, 2352, Scope::kLinear, 128, 2), 17, 1},
      {"BlockGroupScope", make_format(16, 2352, Scope::kBlockGroup, 64, 3), 2349, 20},
      {"BlockGroupScopeOnePanel", make_format(8, 99, Scope::kBlockGroup, 208, 1), 99, 0},
      {"Sets", masked_format(make_format(16, 7131, Scope::kModel, 128, 3)), 7131, 20},
      {"SetsOfEachLinearFixed", masked_format(make_format(8, 100, Scope::kLinear, 50, 1)), 77, 5},
      {"SetsWithSalientGroups",
       masked_format(with_salient_groups(make_format(11, 300, Scope::kBlock, 64, 4))), 300, 17},
      {"SetsWithTheirOwnCodebooks",
       masked_format(make_format(16, 2352, Scope::kBlockGroup, 100, 2)), 2340, 20},
      {"SetsWithoutSalientColumns", masked_format(make_format(5, 9, Scope::kModel, 128, 2)), 9, 0},
      {"BlockScope", make_format(8, 100, Scope::kBlock, 64, 4), 100, 8},
      {"ModelScope", make_format(12, 21618 / 8, Scope::kModel, 120, 2), 2702, 0},
      {"ShortestVectors", make_format(4, 11, Scope::kBlock, 128, 4), 11, 203 / 2},
      {"LongestVectors", make_format(24, 1U << 20U, Scope::kModel, 120, 1), 1000, 3},
      {"TwoBitLevels", uniform_format(2, 128), 0, 0},
      {"ThreeBitLevels", uniform_format(3, 128), 0, 0},
      {"EightBitLevelsOfWholeRows", uniform_format(8, 0), 0, 0},
      {"GivenScales", given_format(make_format(16, 2352, Scope::kModel, 0, 1)), 99, 0},
      {"GivenScalesNoCodec", given_format(make_format(0, 0, Scope::kModel, 0, 1)), 0, 0},
      {"LinearCode", linear_code_format(120, 3), 65536, 12},
      {"OneCodeword", make_format(5, 1, Scope::kModel, 125, 1), 1, 3},
      {"RowScales", row_format(make_format(16, 2352, Scope::kModel, 0, 1), false), 2352, 11},
      {"RowScalesNoSalient", row_format(make_format(16, 2352, Scope::kModel, 0, 1), false), 9, 0},
      {"RowScalesSparse", row_format(make_format(16, 2352, Scope::kModel, 0, 2), true), 99, 0,
       0.03},
      {"RowScalesSparseSalient", row_format(make_format(16, 2352, Scope::kModel, 0, 2), true), 99,
       5, 0.03},
      {"RatiosOfGroupsSparse",
       ratio_format(row_format(make_format(16, 2352, Scope::kModel, 0, 2), true)), 99, 0, 0.03},
      {"EightBitScalesSparse",
       int8_format(row_format(make_format(16, 2352, Scope::kModel, 0, 2), true)), 99, 0, 0.03},
      {"RatiosOfGroupsSalient", ratio_format(make_format(0, 0, Scope::kModel, 0, 4)), 0, 5},
      {"RiceLosesToThePlainMap", row_format(make_format(16, 2352, Scope::kModel, 0, 2), true), 99,
       5, 0.5},
      {"RowScalesFourGroups", row_format(make_format(0, 0, Scope::kModel, 0, 4), false), 0, 1},
      {"AllButThreeColumnsSalient", make_format(16, 7131, Scope::kModel, 128, 3), 50, 200},
      {"RowTimesColumnScales", row_column_format(3, 1), 0, 9},
      {"RowTimesColumnScalesNoSalient", row_column_format(2, 1), 0, 0},
      {"RowTimesColumnScalesOneGroup", row_column_format(1, 1), 0, 4},
      {"RowTimesColumnScalesSalientGroups", row_column_format(2, 2), 0, 9},
      {"PanelWiderThanTheLinear", make_format(16, 7131, Scope::kModel, 4096, 3), 50, 4},
  };
}

}  // namespace btc::test
