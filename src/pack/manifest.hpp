#pragma once
/// `manifest.json`: which files a packed model consists of. Its presence means complete.

#include <filesystem>
#include <string>
#include <vector>

#include "pack/packed_model.hpp"

namespace btc {

inline constexpr const char* kManifestName = "manifest.json";

/// The part of a manifest that a reader checks the directory against.
struct Manifest {
  std::vector<ModelFile> files;    ///< by name, without their ledgers
  std::vector<LedgerLine> ledger;  ///< of all safetensors files
};

/// @throws FormatError if it is missing, damaged or of another major version
Manifest read_manifest(const std::filesystem::path& model_directory);

/// Compares the size of a file with the manifest. @throws FormatError naming file, expected and got
void check_size(const std::filesystem::path& model_directory, const ModelFile& file);
/// The same with its SHA-256: reads all of it.
void check_hash(const std::filesystem::path& model_directory, const ModelFile& file);
/// Both for every file that the manifest lists.
void check_files(const std::filesystem::path& model_directory, const Manifest& manifest);

}  // namespace btc
