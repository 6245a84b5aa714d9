#include "eval/special_ids.hpp"

#include <string>
#include <vector>

#include "common/error.hpp"
#include "tokenizer/tokenizer_settings.hpp"

namespace btc {

namespace {

std::optional<std::int32_t> id_of(const Tokenizer& tokenizer,
                                  const std::optional<std::string>& token) {
  return token ? tokenizer.id_of(*token) : std::nullopt;
}

}  // namespace

SpecialIds read_special_ids(const Tokenizer& tokenizer, const std::filesystem::path& directory) {
  const TokenizerSettings settings = read_tokenizer_settings(directory);
  SpecialIds ids;
  ids.bos = tokenizer.bos_id();
  ids.adds_bos = ids.bos.has_value();
  if (!ids.bos) {
    ids.bos = id_of(tokenizer, settings.bos_token);
  }
  ids.prefix = ids.bos;
  if (!ids.prefix) {
    ids.prefix = id_of(tokenizer, settings.eos_token);
  }
  if (const std::vector<std::int32_t> ends = tokenizer.eos_ids(); !ids.prefix && !ends.empty()) {
    ids.prefix = ends.front();
  }
  return ids;
}

std::optional<std::int32_t> leading_id(const SpecialIds& ids, AddBos add_bos) {
  if (add_bos == AddBos::kFalse || (add_bos == AddBos::kAuto && !ids.adds_bos)) {
    return std::nullopt;
  }
  BTC_REQUIRE(InputError, ids.bos.has_value(),
              "add_bos is true, but this tokenizer has no BOS; expected false or auto");
  return ids.bos;
}

}  // namespace btc
