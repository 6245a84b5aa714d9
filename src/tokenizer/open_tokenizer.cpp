#include "common/error.hpp"
#include "tokenizer/rank_file.hpp"
#include "tokenizer/sentencepiece_tokenizer.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/tokenizer_json.hpp"
#include "tokenizer/tokenizer_settings.hpp"

namespace btc {

std::unique_ptr<Tokenizer> open_tokenizer(const std::filesystem::path& model_directory) {
  const auto file = [&](const char* name) { return model_directory / name; };
  BTC_REQUIRE(InputError, std::filesystem::is_directory(model_directory), model_directory.string(),
              ": no such directory, expected that of a model");
  const TokenizerSettings settings = read_tokenizer_settings(model_directory);
  const auto model = file("tokenizer.model");
  if (std::filesystem::exists(model)) {
    refuse_eos(settings, model_directory);
    return is_rank_list(model) ? open_rank_tokenizer(model, llama3_family(), settings)
                               : open_sentencepiece(model, settings);
  }
  if (std::filesystem::exists(file("qwen.tiktoken"))) {
    refuse_eos(settings, model_directory);
    return open_rank_tokenizer(file("qwen.tiktoken"), qwen_family(), settings);
  }
  if (std::filesystem::exists(file("tokenizer.json"))) {
    return open_tokenizer_json(file("tokenizer.json"), settings);
  }
  for (const char* other : {"vocab.json", "merges.txt"}) {
    BTC_REQUIRE(InputError, !std::filesystem::exists(file(other)), model_directory.string(),
                ": the tokenizer is in ", other,
                ", which does not say how texts are cut; save it as tokenizer.json");
  }
  BTC_THROW(InputError, model_directory.string(),
            ": no tokenizer.model, qwen.tiktoken or tokenizer.json");
}

}  // namespace btc
