#include "pack/model_directory.hpp"

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "io/atomic_file.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 11> kCompanions = {
    "generation_config.json",  "tokenizer.model",    "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json",  "vocab.json",     "merges.txt",
    "chat_template.jinja",     "chat_template.json", "qwen.tiktoken"};

}  // namespace

ModelFile copy_file_hashed(const fs::path& source, const fs::path& target,
                           const std::string& expected_sha256) {
  constexpr std::size_t kBufferBytes = std::size_t{4} << 20U;
  std::ifstream in(source, std::ios::binary);
  BTC_REQUIRE(IoError, in.good(), source.string(), ": cannot open to copy it");
  AtomicFile out(target);
  std::vector<char> buffer(kBufferBytes);
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    out.write(std::as_bytes(std::span(buffer.data(), static_cast<std::size_t>(in.gcount()))));
  }
  BTC_REQUIRE(IoError, in.eof(), source.string(), ": cannot read all of it");
  BTC_REQUIRE(FormatError, expected_sha256.empty() || out.sha256() == expected_sha256,
              source.string(), ": SHA-256 is ", out.sha256(), ", expected ", expected_sha256);
  const std::string sha256 = out.commit();
  return {target.filename().string(), out.bytes_written(), sha256, {}};
}

ModelFile write_model_text(const fs::path& directory, const std::string& name,
                           std::string_view text) {
  AtomicFile out(directory / name);
  out.write(std::as_bytes(std::span(text)));
  const std::string sha256 = out.commit();
  return {name, out.bytes_written(), sha256, {}};
}

std::vector<ModelFile> copy_companions(const fs::path& source, const fs::path& target) {
  std::vector<ModelFile> files;
  for (const char* name : kCompanions) {
    if (fs::is_regular_file(source / name)) {
      files.push_back(copy_file_hashed(source / name, target / name, ""));
    }
  }
  return files;
}

std::string index_text(const std::map<std::string, std::string>& weight_map,
                       std::uint64_t total_size) {
  const nlohmann::ordered_json index = {{"metadata", {{"total_size", total_size}}},
                                        {"weight_map", weight_map}};
  return index.dump(2) + "\n";
}

std::string index_text_of(const fs::path& directory, const std::vector<std::string>& file_names) {
  std::map<std::string, std::string> weight_map;
  std::uint64_t total_size = 0;
  for (const std::string& name : file_names) {
    const SafetensorsFile file = SafetensorsFile::open(directory / name);
    for (const TensorView& tensor : file.tensors()) {
      BTC_REQUIRE(FormatError, weight_map.emplace(tensor.name, name).second, name, ": ",
                  tensor.name, " is in another file too");
      total_size += tensor.bytes.size();
    }
  }
  return index_text(weight_map, total_size);
}

}  // namespace btc
