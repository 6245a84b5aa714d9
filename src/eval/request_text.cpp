#include "eval/request_text.hpp"

#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/hash.hpp"

namespace btc {

namespace {

std::string quoted(const std::string& text) {
  try {
    return nlohmann::json(text).dump(-1, ' ', true);
  } catch (const nlohmann::json::type_error& error) {
    BTC_THROW(InputError, "a request that is not valid UTF-8: ", error.what());
  }
}

}  // namespace

std::string request_json(std::span<const Document> documents, bool rolling) {
  std::string text = "[";
  for (const Document& document : documents) {
    for (const TextRequest& request : document.requests) {
      text += text.size() > 1 ? ", [" : "[";
      text += rolling ? "" : quoted(request.context) + ", ";
      text += quoted(request.continuation) + "]";
    }
  }
  return text += "]";
}

std::string request_sha256(std::span<const Document> documents, bool rolling) {
  return sha256_hex(request_json(documents, rolling));
}

}  // namespace btc
