#include "refine/params.hpp"

#include <string>
#include <string_view>

#include "common/error.hpp"

namespace btc {
namespace {

/// @param stage `kd` or `block`, whose epochs and rate the signs are trained with
void check_sign_rate(std::string_view stage, double sign_rate, int epochs, double rate,
                     const BinarizeParams& binarize,
                     const std::optional<CodebookParams>& codebook) {
  if (sign_rate == 0) {
    return;
  }
  const std::string key = concat(stage, "_sign_learning_rate");
  BTC_REQUIRE(ConfigError, epochs > 0 && rate > 0, "refine.", key, ": got ", sign_rate,
              ", expected 0 unless ", stage, "_epochs and ", stage, "_learning_rate are above 0");
  BTC_REQUIRE(ConfigError, binarize.salient == SalientRule::kNone, "refine.", key, ": got ",
              sign_rate,
              ", expected 0 unless binarize.salient is none: the second planes of salient columns "
              "are not trained");
  BTC_REQUIRE(ConfigError, binarize.uniform == UniformRule::kNone, "refine.", key, ": got ",
              sign_rate, ", expected 0 with binarize.uniform: levels are not signs");
  BTC_REQUIRE(ConfigError,
              !codebook || (codebook->scope != CodebookScope::kBlockGroup && !is_masked(codebook)),
              "refine.", key, ": got ", sign_rate,
              ", expected 0 with codebook.scope: block_group or codebook.layout: masked");
}

}  // namespace

void check_params(const RefineParams& refine, const BinarizeParams& binarize,
                  const std::optional<CodebookParams>& codebook) {
  check_sign_rate("kd", refine.kd_sign_learning_rate, refine.kd_epochs, refine.kd_learning_rate,
                  binarize, codebook);
  check_sign_rate("block", refine.block_sign_learning_rate, refine.block_epochs,
                  refine.block_learning_rate, binarize, codebook);
  BTC_REQUIRE(ConfigError, refine.dense_epochs == 0 || binarize.scales != ScaleLayout::kGiven,
              "refine.dense_epochs: got ", refine.dense_epochs,
              ", expected 0 with binarize.scales: given: binary weights would not stay binary");
}

}  // namespace btc
