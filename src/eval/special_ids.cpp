#include "eval/special_ids.hpp"

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "common/error.hpp"
#include "io/atomic_file.hpp"

namespace btc {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// The object in a JSON file, or an empty one if there is no such file.
json read_object(const fs::path& path) {
  if (!fs::exists(path)) {
    return json::object();
  }
  json object = json::parse(read_text_file(path), nullptr, false);
  BTC_REQUIRE(InputError, object.is_object(), path.string(), ": not a JSON object");
  return object;
}

/// A token id, or the first of a list of them; nullopt if absent or null.
std::optional<std::int32_t> read_id(const json& object, const char* field, const fs::path& path) {
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) {
    return std::nullopt;
  }
  const json& value = found->is_array() && !found->empty() ? found->front() : *found;
  const bool good = value.is_number_unsigned() &&
                    value.get<std::uint64_t>() <= std::numeric_limits<std::int32_t>::max();
  BTC_REQUIRE(InputError, good, path.string(), ": ", field, ": expected a token id, found ",
              found->dump(-1, ' ', true, json::error_handler_t::replace));
  return value.get<std::int32_t>();
}

}  // namespace

SpecialIds read_special_ids(const Tokenizer& tokenizer, const fs::path& directory) {
  SpecialIds ids;
  if (const auto bos = tokenizer.bos_id()) {
    return {.bos = bos, .adds_bos = true, .prefix = bos};
  }
  const fs::path path = directory / "config.json";
  const json config = read_object(path);
  const json settings = read_object(directory / "tokenizer_config.json");
  const auto stated = settings.find("bos_token");
  if (stated == settings.end() || !stated->is_null()) {
    ids.bos = read_id(config, "bos_token_id", path);
  }
  ids.prefix = ids.bos ? ids.bos : read_id(config, "eos_token_id", path);
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
