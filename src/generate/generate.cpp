#include "generate/generate.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/timer.hpp"
#include "io/atomic_file.hpp"

namespace btc {
namespace {

std::int32_t id_of(const nlohmann::json& value, const std::filesystem::path& file) {
  BTC_REQUIRE(InputError, value.is_number_unsigned(), file.string(),
              ": eos_token_id: expected an id or a list of ids, found ", value.dump());
  return narrow<std::int32_t>(value.get<std::uint64_t>());
}

std::vector<std::int32_t> end_ids_of(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) {
    return {};
  }
  const auto config = nlohmann::json::parse(read_text_file(file), nullptr, false);
  BTC_REQUIRE(InputError, config.is_object(), file.string(), ": not a JSON object");
  const auto field = config.find("eos_token_id");
  if (field == config.end() || field->is_null()) {
    return {};
  }
  std::vector<std::int32_t> ids;
  if (field->is_array()) {
    for (const auto& value : *field) {
      ids.push_back(id_of(value, file));
    }
  } else {
    ids.push_back(id_of(*field, file));
  }
  return ids;
}

}  // namespace

std::vector<std::int32_t> end_ids(const std::filesystem::path& model_directory) {
  std::vector<std::int32_t> ids = end_ids_of(model_directory / "generation_config.json");
  return ids.empty() ? end_ids_of(model_directory / "config.json") : ids;
}

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
    const std::int32_t id = choose_token(logits, params.sampling, rng);
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
