#include "learn/params.hpp"

#include "common/error.hpp"
#include "common/matrix.hpp"

namespace btc {
namespace {

void check_learned(const TransformParams& p, const BinarizeParams& binarize,
                   const std::optional<CodebookParams>& codebook) {
  BTC_REQUIRE(ConfigError, binarize.uniform == UniformRule::kNone,
              "transform.kind: a learned transform expects weights that are binarized, not "
              "binarize.uniform");
  BTC_REQUIRE(ConfigError, p.similarity == 0 || codebook.has_value(), "transform.similarity: got ",
              p.similarity, ", expected 0 without codebook");
  BTC_REQUIRE(ConfigError, p.similarity == 0 || p.eigenvalues < codebook->vector_length,
              "transform.eigenvalues: got ", p.eigenvalues,
              ", expected less than codebook.vector_length = ", codebook->vector_length,
              ": as many eigenvalues as dimensions make L_sim zero whatever the signs");
}

}  // namespace

LearnSchedule schedule_of(const TransformParams& params) {
  LearnSchedule schedule;
  if (params.kind == TransformKind::kBtcPaper) {
    schedule = {.epochs = 30,
                .learning_rate = 1e-4,
                .batch = 16,
                .most_steps = 30,
                .patience = 10,
                .sign_start = 1e-3};
  } else {
    schedule = {
        .epochs = 15, .learning_rate = 5e-3, .batch = 4, .cosine = true, .sign_start = 0.02};
  }
  if (params.epochs) {
    schedule.epochs = narrow<int>(*params.epochs);
    schedule.most_steps = 0;
  }
  schedule.learning_rate = params.learning_rate.value_or(schedule.learning_rate);
  if (params.batch) {
    schedule.batch = narrow<int>(*params.batch);
  }
  schedule.sign_start = params.sign_start.value_or(schedule.sign_start);
  return schedule;
}

void check_params(const TransformParams& transform, const BinarizeParams& binarize,
                  const std::optional<CodebookParams>& codebook) {
  const TransformParams defaults;
  const bool off = transform.kind == TransformKind::kNone;
  BTC_REQUIRE(ConfigError, !off || (transform.factors && transform.signs),
              "transform.factors, transform.signs: expected true with kind none");
  BTC_REQUIRE(ConfigError, transform.factors || transform.signs,
              "transform: got neither factors nor signs, expected kind: none for that");
  BTC_REQUIRE(
      ConfigError, off || binarize.scales != ScaleLayout::kGiven,
      "transform.kind: expected none with binarize.scales: given, whose binary weights have "
      "more than two values a column once they are transformed");
  if (learns(transform)) {
    check_learned(transform, binarize, codebook);
    return;
  }
  BTC_REQUIRE(ConfigError,
              !transform.epochs && !transform.learning_rate && !transform.batch &&
                  !transform.sign_start && transform.start == defaults.start &&
                  transform.precision == defaults.precision && transform.similarity == 0 &&
                  transform.balance == 0 && transform.eigenvalues == defaults.eigenvalues,
              "transform: start, epochs, learning_rate, batch, precision, sign_start, similarity, "
              "balance and eigenvalues expect kind btc_paper or flatquant");
}

}  // namespace btc
