#pragma once
/// Settings of the quantization algorithms. The YAML keys have the names of the fields.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "backend/backend.hpp"
#include "backend/fit_rule.hpp"

namespace btc {

/// How non-salient entries are split into groups. @see paper_map.md
enum class SplitRule { kSearch, kRatio2, kMagnitude, kFraction };
inline constexpr std::array<std::string_view, 4> kSplitRuleNames = {"search", "ratio2", "magnitude",
                                                                    "fraction"};

/// How salient columns are found.
enum class SalientRule { kNone, kSearch, kFraction };
inline constexpr std::array<std::string_view, 3> kSalientRuleNames = {"none", "search", "fraction"};

/// Who shares a scale: a row of a panel, or a whole row (plus one factor per column), or all groups
/// of a row too (plus one factor per group of the Linear), in 8 bits if asked for; or the weights
/// are binary already, with one scale and one mean per column, as in FBI-LLM checkpoints.
enum class ScaleLayout { kPanel, kRow, kRowRatio, kRowRatioI8, kGiven };
inline constexpr std::array<std::string_view, 5> kScaleLayoutNames = {"panel", "row", "row_ratio",
                                                                      "row_ratio_i8", "given"};
/// Whether the groups of a row share its scale.
bool shares_group_ratio(ScaleLayout scales);

/// Uniform levels instead of signs: round to nearest, or GPTQ.
enum class UniformRule { kNone, kRtn, kGptq };
inline constexpr std::array<std::string_view, 3> kUniformRuleNames = {"none", "rtn", "gptq"};

/// When scales become fp16 values: panel by panel, so that later weights absorb the rounding, or
/// after the last panel, as published code does that never rounds.
enum class ScaleRounding { kPanel, kEnd };
inline constexpr std::array<std::string_view, 2> kScaleRoundingNames = {"panel", "end"};

inline constexpr std::array<std::string_view, 4> kCompensationNames = {"none", "block", "exact",
                                                                       "sequential"};
inline constexpr std::array<std::string_view, 2> kAssignmentNames = {"hamming", "weighted"};

/// Key `binarize`.
struct BinarizeParams {
  FitRule method = FitRule::kArb;
  int iterations = 15;                       ///< refinement sweeps, >= 0
  FitSolver solver = FitSolver::kIterative;  ///< `exact` needs method arb and panel scales
  int split_points = 2;                      ///< s, 0..3; s + 1 groups
  SplitRule split_rule = SplitRule::kMagnitude;
  std::vector<double> group_fractions;  ///< `fraction` only: s shares, largest weights first
  SalientRule salient = SalientRule::kSearch;
  double salient_fraction = 0.1;             ///< `salient: fraction` only: share of the columns
  bool salient_groups = false;               ///< the salient entries are split into groups as well
  ScaleLayout scales = ScaleLayout::kPanel;  ///< `row` has its own fit and needs method arb
  ScaleRounding rounding = ScaleRounding::kPanel;
  UniformRule uniform = UniformRule::kNone;  ///< a comparator: no groups, salient columns, codebook
  int uniform_bits = 3;                      ///< of a level, with `uniform`; 2..8
  Compensation compensation = Compensation::kSequential;
  int panel = 128;        ///< columns; cut to a multiple of the vector length
  double damping = 0.01;  ///< lambda in units of mean(diag H)
};

/// What a sub-vector is: consecutive columns of a row, or, as in BTC-LLM Alg. 1, consecutive
/// entries of a set that was binarized together. @see quant/sign_sets.hpp
enum class CodebookLayout { kDense, kMasked };
inline constexpr std::array<std::string_view, 2> kCodebookLayoutNames = {"dense", "masked"};

/// Who shares a codebook; `block_group`: each panel of each Linear has its own, with layout
/// `masked` each set.
enum class CodebookScope { kLinear, kBlock, kModel, kBlockGroup };
inline constexpr std::array<std::string_view, 4> kCodebookScopeNames = {"linear", "block", "model",
                                                                        "block_group"};

/// Which codewords there are: learned and stored, or those of a linear code, which need no storage.
enum class Codec { kLearned, kLinear2016 };
inline constexpr std::array<std::string_view, 2> kCodecNames = {"learned", "linear_20_16"};

enum class CodebookInit { kFrequency, kRandom };
inline constexpr std::array<std::string_view, 2> kCodebookInitNames = {"frequency", "random"};

/// When codewords are chosen: after the compensation loop of free signs, or inside it.
enum class EncodeMode { kPost, kInLoop };
inline constexpr std::array<std::string_view, 2> kEncodeModeNames = {"post", "in_loop"};

/// Key `codebook`; `codebook: none` leaves it out.
struct CodebookParams {
  Codec codec = Codec::kLearned;
  CodebookLayout layout = CodebookLayout::kDense;  ///< `masked` is for comparison with the paper
  int vector_length = 16;                          ///< v, 4..24; 20 for `linear_20_16`
  std::optional<double> target_bits;  ///< b: c = floor(2^(b v)); `learned`: exactly one of the two
  std::optional<std::int64_t> centroids;  ///< c
  CodebookScope scope = CodebookScope::kModel;
  CodebookInit init = CodebookInit::kFrequency;
  int iterations = 5;  ///< at most; stops when no assignment changes
  Assignment assignment = Assignment::kWeighted;
  EncodeMode encode = EncodeMode::kInLoop;
  bool refit = true;  ///< least-squares scales once the signs are chosen
};

/// Whether there is a codebook to learn and to store.
bool learns_codebook(const std::optional<CodebookParams>& codebook);

/// c of the parameters: `centroids`, or floor(2^(target_bits * v)); 2^16 for `linear_20_16`.
/// @throws ConfigError unless exactly one is given and 1 <= c <= min(2^v, 2^20); for
///         `linear_20_16`, unless v = 20 and none is given
std::size_t codebook_size(const CodebookParams& params);

/// Width of a panel for these settings: `panel` cut down to a multiple of the vector length, so
/// that no sub-vector crosses a panel; `panel` itself without codebook.
std::size_t panel_width(const BinarizeParams& binarize,
                        const std::optional<CodebookParams>& codebook);

/// Whether sub-vectors are cut from sets of entries.
bool is_masked(const std::optional<CodebookParams>& codebook);

/// Codebooks that a Linear of this many columns has for itself: with scope `block_group` one for
/// each of its panels, or of their sets, otherwise at most one.
std::size_t codebooks_of_linear(std::size_t cols, const BinarizeParams& binarize,
                                const CodebookParams& codebook);

/// Checks each field and the combinations. @throws ConfigError naming the key and what is allowed
void check_params(const BinarizeParams& binarize, const std::optional<CodebookParams>& codebook);

}  // namespace btc
