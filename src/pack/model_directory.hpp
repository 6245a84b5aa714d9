#pragma once
/// Files of a Hugging Face directory that both the packed model and the dense export write.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pack/packed_model.hpp"

namespace btc {

inline constexpr const char* kIndexName = "model.safetensors.index.json";

/// Copies byte for byte through one buffer.
/// @param expected_sha256 empty: not checked
/// @throws FormatError if the bytes differ from it; then nothing is left under `target`
ModelFile copy_file_hashed(const std::filesystem::path& source, const std::filesystem::path& target,
                           const std::string& expected_sha256);
/// Writes a text file into the directory.
ModelFile write_model_text(const std::filesystem::path& directory, const std::string& name,
                           std::string_view text);
/// Copies what belongs to a model besides weights and config.json: tokenizer, generation_config.
std::vector<ModelFile> copy_companions(const std::filesystem::path& source,
                                       const std::filesystem::path& target);
/// Text of the index file: tensor -> file, and the bytes of all tensors.
std::string index_text(const std::map<std::string, std::string>& weight_map,
                       std::uint64_t total_size);
/// Text of the index file of these safetensors files of a directory.
std::string index_text_of(const std::filesystem::path& directory,
                          const std::vector<std::string>& file_names);

}  // namespace btc
