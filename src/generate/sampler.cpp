#include "generate/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/error.hpp"

namespace btc {
namespace {

struct Candidate {
  std::int32_t id = 0;
  double share = 0;
};

/// exp((logit - highest) / temperature) of every id, and their sum.
double fill_shares(std::span<const float> logits, double temperature,
                   std::vector<Candidate>& candidates) {
  const auto best = static_cast<std::size_t>(most_likely(logits));
  const auto highest = static_cast<double>(logits[best]);
  double sum = 0;
  candidates.reserve(logits.size());
  for (std::size_t id = 0; id < logits.size(); ++id) {
    const double share = std::exp((static_cast<double>(logits[id]) - highest) / temperature);
    candidates.push_back({static_cast<std::int32_t>(id), share});
    sum += share;
  }
  return sum;
}

bool less_likely(const Candidate& a, const Candidate& b) {
  return a.share < b.share || (a.share == b.share && a.id > b.id);
}

/// Moves the likeliest candidates, in order, to the front until their sum reaches `wanted`.
/// @return their sum
double take_likeliest(std::vector<Candidate>& candidates, double wanted) {
  std::vector<Candidate> kept;
  double sum = 0;
  std::make_heap(candidates.begin(), candidates.end(), less_likely);
  auto end = candidates.end();
  do {
    std::pop_heap(candidates.begin(), end, less_likely);
    kept.push_back(*--end);
    sum += kept.back().share;
  } while (sum < wanted && end != candidates.begin());
  candidates = std::move(kept);
  return sum;
}

}  // namespace

void check(const SamplingParams& params) {
  BTC_REQUIRE(ConfigError, std::isfinite(params.temperature) && params.temperature >= 0,
              "temperature: got ", params.temperature, ", expected a number of at least 0");
  BTC_REQUIRE(ConfigError, params.top_p > 0 && params.top_p <= 1, "top_p: got ", params.top_p,
              ", expected a number above 0, at most 1");
}

std::int32_t most_likely(std::span<const float> logits) {
  for (std::size_t id = 0; id < logits.size(); ++id) {
    BTC_REQUIRE(NumericError, std::isfinite(logits[id]), "logit of id ", id, " is ", logits[id],
                ", expected a finite number");
  }
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

std::int32_t choose_token(std::span<const float> logits, const SamplingParams& params, Rng& rng) {
  if (params.temperature == 0) {
    return most_likely(logits);
  }
  std::vector<Candidate> candidates;
  double sum = fill_shares(logits, params.temperature, candidates);
  if (params.top_p < 1) {
    sum = take_likeliest(candidates, params.top_p * sum);
  }
  const double point = rng.uniform() * sum;
  double reached = 0;
  for (const Candidate& candidate : candidates) {
    reached += candidate.share;
    if (reached > point) {
      return candidate.id;
    }
  }
  return candidates.back().id;
}

}  // namespace btc
