#include "refine/params.hpp"

#include "common/error.hpp"

namespace btc {

void check_params(const RefineParams& refine, const BinarizeParams& binarize,
                  const std::optional<CodebookParams>& codebook) {
  if (refine.kd_sign_learning_rate == 0) {
    return;
  }
  BTC_REQUIRE(ConfigError, refine.kd_epochs > 0 && refine.kd_learning_rate > 0,
              "refine.kd_sign_learning_rate: got ", refine.kd_sign_learning_rate,
              ", expected 0 unless kd_epochs and kd_learning_rate are above 0");
  BTC_REQUIRE(ConfigError, binarize.salient == SalientRule::kNone,
              "refine.kd_sign_learning_rate: got ", refine.kd_sign_learning_rate,
              ", expected 0 unless binarize.salient is none: the second planes of salient columns "
              "are not trained");
  BTC_REQUIRE(ConfigError, binarize.uniform == UniformRule::kNone,
              "refine.kd_sign_learning_rate: got ", refine.kd_sign_learning_rate,
              ", expected 0 with binarize.uniform: levels are not signs");
  BTC_REQUIRE(ConfigError, !codebook || codebook->scope != CodebookScope::kBlockGroup,
              "refine.kd_sign_learning_rate: got ", refine.kd_sign_learning_rate,
              ", expected 0 with codebook.scope: block_group");
}

}  // namespace btc
