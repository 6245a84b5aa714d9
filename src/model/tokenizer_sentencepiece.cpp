#include <sentencepiece_processor.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/matrix.hpp"
#include "io/atomic_file.hpp"
#include "model/tokenizer.hpp"

namespace btc {

namespace {

namespace fs = std::filesystem;

class SentencePieceTokenizer final : public Tokenizer {
 public:
  SentencePieceTokenizer(const fs::path& file, bool add_bos) : file_sha256_(sha256_file(file)) {
    const auto status = processor_.Load(file.string());
    BTC_REQUIRE(InputError, status.ok(), file.string(),
                ": not a sentencepiece model: ", status.ToString());
    if (add_bos && processor_.bos_id() >= 0) {
      bos_id_ = processor_.bos_id();
    }
  }

  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<int> ids;
    const auto status = processor_.Encode({text.data(), text.size()}, &ids);
    BTC_REQUIRE(InputError, status.ok(), "sentencepiece cannot encode a text of ", text.size(),
                " bytes: ", status.ToString());
    return {ids.begin(), ids.end()};
  }

  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override {
    for (const std::int32_t id : ids) {
      BTC_REQUIRE(InputError, id >= 0 && std::cmp_less(id, vocab_size()), "id ", id,
                  ", expected 0 to ", vocab_size() - 1);
    }
    std::string text;
    const auto status = processor_.Decode(std::vector<int>(ids.begin(), ids.end()), &text);
    BTC_REQUIRE(InputError, status.ok(), "sentencepiece cannot decode: ", status.ToString());
    return text;
  }

  [[nodiscard]] std::size_t vocab_size() const override {
    return narrow<std::size_t>(processor_.GetPieceSize());
  }
  [[nodiscard]] std::optional<std::int32_t> bos_id() const override { return bos_id_; }
  [[nodiscard]] const std::string& file_sha256() const override { return file_sha256_; }

 private:
  sentencepiece::SentencePieceProcessor processor_;
  std::optional<std::int32_t> bos_id_;
  std::string file_sha256_;
};

/// True if the file begins like a list of base64 tokens with ranks: `IQ== 0`.
bool is_rank_list(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string line;
  std::getline(stream, line);
  const std::size_t space = line.find(' ');
  const auto base64 = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '+' || c == '/' || c == '=';
  };
  return space != std::string::npos && space > 0 && space % 4 == 0 && space + 1 < line.size() &&
         std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(space), base64) &&
         line.find_first_not_of("0123456789\r", space + 1) == std::string::npos;
}

/// Whether a text gets a BOS in front: `add_bos_token` of tokenizer_config.json, else yes.
bool adds_bos(const fs::path& directory) {
  const fs::path path = directory / "tokenizer_config.json";
  if (!fs::exists(path)) {
    return true;
  }
  const auto config = nlohmann::json::parse(read_text_file(path), nullptr, false);
  BTC_REQUIRE(InputError, config.is_object(), path.string(), ": not a JSON object");
  const auto field = config.find("add_bos_token");
  if (field == config.end() || field->is_null()) {
    return true;
  }
  BTC_REQUIRE(InputError, field->is_boolean(), path.string(),
              ": add_bos_token: expected true or false, found ", field->dump());
  return field->get<bool>();
}

}  // namespace

std::unique_ptr<Tokenizer> open_tokenizer(const fs::path& model_directory) {
  constexpr std::string_view kByteLevel =
      "byte-level BPE is not supported by this version, expected a sentencepiece tokenizer.model; "
      "token ids made elsewhere can be given instead of a text";
  const fs::path file = model_directory / "tokenizer.model";
  if (fs::exists(file)) {
    BTC_REQUIRE(InputError, !is_rank_list(file), file.string(), ": a list of BPE ranks; ",
                kByteLevel);
    return std::make_unique<SentencePieceTokenizer>(file, adds_bos(model_directory));
  }
  constexpr std::array<std::string_view, 4> kOthers = {"tokenizer.json", "qwen.tiktoken",
                                                       "vocab.json", "merges.txt"};
  for (const std::string_view other : kOthers) {
    BTC_REQUIRE(InputError, !fs::exists(model_directory / other), model_directory.string(),
                ": the tokenizer is in ", other, "; ", kByteLevel);
  }
  BTC_THROW(InputError, model_directory.string(), ": no tokenizer.model");
}

}  // namespace btc
