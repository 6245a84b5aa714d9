#pragma once
/// Settings of the transform that stands in front of every Linear. The YAML keys have the names of
/// the fields.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "model/precision.hpp"
#include "quant/params.hpp"

namespace btc {

/// `random` learns nothing; the other two learn by the block's output, with the schedule of BTC-LLM
/// or of FlatQuant.
enum class TransformKind { kNone, kRandom, kBtcPaper, kFlatQuant };
inline constexpr std::array<std::string_view, 4> kTransformKindNames = {"none", "random",
                                                                        "btc_paper", "flatquant"};

/// Where learned factors begin.
enum class TransformStart { kHaar, kIdentity };
inline constexpr std::array<std::string_view, 2> kTransformStartNames = {"haar", "identity"};

/// Key `transform`.
struct TransformParams {
  TransformKind kind = TransformKind::kNone;
  TransformStart start = TransformStart::kHaar;  ///< of the learned kinds
  bool factors = true;                           ///< P; false: the identity
  bool signs = true;                             ///< D; false: +1
  std::optional<std::int64_t> epochs;            ///< passes over the calibration sequences
  std::optional<double> learning_rate;           ///< first step of factors and latent signs
  std::optional<std::int64_t> batch;             ///< sequences per step
  Precision precision = Precision::kFp32;        ///< of the products of training steps
  /// Distance of a latent sign from zero at the start: what it must move before its sign flips.
  std::optional<double> sign_start;
  double similarity = 0;  ///< lambda_1 of L_sim, which draws the sign patterns together
  double balance = 0;     ///< lambda_2 of L_bal, which keeps the mean sign near zero
  int eigenvalues = 4;    ///< K of L_sim, below the vector length
};

/// Whether the kind learns by gradient.
inline bool learns(const TransformParams& params) {
  return params.kind == TransformKind::kBtcPaper || params.kind == TransformKind::kFlatQuant;
}

/// How a kind learns, with the keys that were given.
struct LearnSchedule {
  int epochs = 0;
  double learning_rate = 0;
  int batch = 1;
  bool cosine = false;  ///< the rate falls to zero; else it stays
  int most_steps = 0;   ///< 0: no limit
  int patience = 0;     ///< epochs without a better one before it ends, 0: no limit
  double sign_start = 0;
};
/// BTC-LLM: Adam at 1e-4, at most 30 steps of 16 sequences, patience 10; it gives the signs "a
/// larger learning rate", here a start so near zero that those steps can flip them. FlatQuant:
/// 5e-3, 15 epochs of 4 sequences, cosine. @pre learns(params)
LearnSchedule schedule_of(const TransformParams& params);

/// Checks the settings against each other. @throws ConfigError naming the key and what is allowed
void check_params(const TransformParams& transform, const BinarizeParams& binarize,
                  const std::optional<CodebookParams>& codebook);

}  // namespace btc
