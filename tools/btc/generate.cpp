#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "choices.hpp"
#include "commands.hpp"
#include "common/error.hpp"
#include "generate/generate.hpp"
#include "generate/text_stream.hpp"
#include "model/checkpoint.hpp"
#include "pack/manifest.hpp"
#include "pack/packed_directory.hpp"
#include "pack/packed_model.hpp"
#include "tokenizer/tokenizer.hpp"

namespace btc {

namespace {

/// In what form the Linears of a packed model stay in memory.
enum class WeightForm { kAuto, kPacked, kDecoded };
constexpr std::array<std::string_view, 3> kWeightFormNames = {"auto", "packed", "decoded"};

struct GenerateOptions {
  std::string model;
  std::string prompt;
  GenerateParams params;
  int threads = 0;  ///< 0: as many as the machine has
  WeightForm weights = WeightForm::kAuto;
};

struct LoadedModel {
  ResidentModel model;
  std::string form;  ///< in words
};

LoadedModel load(const std::filesystem::path& directory, WeightForm form) {
  if (!is_packed(directory)) {
    BTC_REQUIRE(InputError, form != WeightForm::kPacked, directory.string(),
                ": --weights packed: no ", kManifestName, ", so this is no packed model");
    ResidentModel model = load_dense(Checkpoint::open(directory));
    const std::string dtype = std::get<DenseRows>(model.blocks.front().linear.front()).dtype();
    return {std::move(model), dtype};
  }
  check_files(directory, read_manifest(directory));
  if (form == WeightForm::kDecoded) {
    return {load_dense(PackedModel::open(directory)), "decoded to fp32"};
  }
  return {load_packed(PackedModel::open(directory)), "packed, as bit planes"};
}

double per_second(std::size_t tokens, double seconds) {
  return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
}

/// New tokens at most: no position behind the model's last one.
std::size_t room_for(const ModelConfig& config, std::size_t prompt, std::size_t wanted) {
  BTC_REQUIRE(InputError, prompt < config.max_position, "the prompt has ", prompt,
              " tokens, expected fewer than ", config.max_position,
              ", the positions that the model knows");
  return std::min(wanted, config.max_position - prompt);
}

/// Why there is no further token. @param wanted new tokens at most
const char* end_of(const Generated& result, std::size_t wanted) {
  return result.ended                 ? "the text ended"
         : result.ids.size() < wanted ? "stopped at the model's last position"
                                      : "stopped by the number of tokens";
}

void print_report(const Generated& result, std::size_t prompt, std::size_t wanted,
                  const LoadedModel& loaded, std::size_t cache_bytes) {
  const ResidentBytes bytes = loaded.model.bytes();
  std::cerr << fmt::format("prompt      {} tokens in {:.3f} s, {:.1f} tokens/s\n", prompt,
                           result.prompt_seconds, per_second(prompt, result.prompt_seconds));
  std::cerr << fmt::format("generation  {} tokens, {} steps in {:.3f} s, {:.1f} tokens/s; {}\n",
                           result.ids.size(), result.steps, result.seconds,
                           per_second(result.steps, result.seconds), end_of(result, wanted));
  std::cerr << fmt::format(
      "weights     {} bytes resident: Linears {} ({}, {:.3f} bits per weight), head {}, norms and "
      "biases {}; embedding rows are read from the file\n",
      bytes.total(), bytes.linears, loaded.form,
      8.0 * static_cast<double>(bytes.linears) /
          static_cast<double>(linear_weight_count(loaded.model.config())),
      bytes.head, bytes.other);
  std::cerr << fmt::format("cache       {} bytes of keys and values\n", cache_bytes);
}

void generate_text(GenerateOptions options) {
  check(options.params.sampling);
  const std::unique_ptr<Tokenizer> tokenizer = open_tokenizer(options.model);
  const std::vector<std::int32_t> text = tokenizer->encode_prompt(options.prompt);
  std::vector<std::int32_t> prompt = text;
  if (const auto bos = tokenizer->bos_id()) {
    prompt.insert(prompt.begin(), *bos);
  }
  const LoadedModel loaded = load(options.model, options.weights);
  const std::size_t wanted = options.params.max_tokens;
  options.params.max_tokens = room_for(loaded.model.config(), prompt.size(), wanted);
  options.params.end_ids = tokenizer->eos_ids();
  options.params.vocabulary = tokenizer->vocab_size();
  const auto hardware = static_cast<int>(std::thread::hardware_concurrency());
  const Workers workers(options.threads > 0 ? options.threads : std::max(1, hardware));
  IncrementalForward forward(loaded.model, workers, prompt.size() + options.params.max_tokens);
  TextStream stream(*tokenizer, text);
  std::cout << options.prompt << std::flush;
  const Generated result = generate(forward, prompt, options.params, [&](std::int32_t id) {
    std::cout << stream.push(id) << std::flush;
  });
  std::cout << stream.finish() << std::endl;
  print_report(result, prompt.size(), wanted, loaded, forward.cache_bytes());
}

}  // namespace

void add_generate(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "generate", "go on with a text, by a packed or an original model, on the CPU");
  const auto options = std::make_shared<GenerateOptions>();
  command->add_option("--model", options->model, "packed or original model directory")->required();
  command->add_option("--prompt", options->prompt, "the text to go on with (UTF-8)")->required();
  command->add_option("--max-tokens", options->params.max_tokens, "new tokens at most")
      ->check(at_least(0))
      ->capture_default_str();
  command
      ->add_option("--temperature", options->params.sampling.temperature,
                   "0: always the most likely token")
      ->capture_default_str();
  command
      ->add_option("--top-p", options->params.sampling.top_p,
                   "draw from the likeliest tokens whose probabilities sum to this")
      ->capture_default_str();
  command->add_option("--seed", options->params.seed, "equal seeds give equal texts")
      ->check(at_least(0))
      ->capture_default_str();
  command->add_option("--threads", options->threads, "default: as many as there are")
      ->check(at_least(1));
  command
      ->add_option("--weights", options->weights,
                   "of a packed model: packed (default; decoded for each use) or decoded (fp32, "
                   "much larger); an original model stays in its own type")
      ->transform(one_of(kWeightFormNames));
  command->callback([options] { generate_text(*options); });
}

}  // namespace btc
