#include "generate/generate.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/timer.hpp"

namespace btc {

Generated generate(IncrementalForward& forward, std::span<const std::int32_t> prompt,
                   const GenerateParams& params, const std::function<void(std::int32_t)>& on_id) {
  BTC_REQUIRE(InputError, !prompt.empty(),
              "the prompt has no token, expected a text, or a tokenizer that begins one with BOS");
  check(params.sampling);
  Rng rng(derive_seed(params.seed, "generate", 0));
  Generated result;
  Timer timer;
  std::vector<float> logits = forward.append(prompt);
  result.prompt_seconds = timer.seconds();
  timer = Timer();
  while (result.ids.size() < params.max_tokens) {
    const std::size_t known = std::min(logits.size(), params.vocabulary);
    const std::int32_t id = choose_token(std::span(logits).first(known), params.sampling, rng);
    if (std::find(params.end_ids.begin(), params.end_ids.end(), id) != params.end_ids.end()) {
      result.ended = true;
      break;
    }
    result.ids.push_back(id);
    if (on_id) {
      on_id(id);
    }
    if (result.ids.size() < params.max_tokens) {
      logits = forward.append({&id, 1});
      ++result.steps;
    }
  }
  result.seconds = timer.seconds();
  return result;
}

}  // namespace btc
