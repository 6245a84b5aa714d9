#pragma once
/// HDF5 files that a stage leaves for the next ones: schema, version and fingerprint at the root.

#include <algorithm>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/hdf5_file.hpp"

namespace btc {

/// What a file is and which build reads it.
struct StageFileKind {
  std::string_view schema;
  std::string_view version;
};

/// @param fingerprint of the unit
Hdf5File create_stage_file(const std::filesystem::path& path, const StageFileKind& kind,
                           const std::string& fingerprint);
/// @throws FormatError if the file is damaged, or of another schema or version
Hdf5File open_stage_file(const std::filesystem::path& path, const StageFileKind& kind);

/// A list in chunks, so that every byte is under a checksum. An absent dataset is an empty list.
template <typename T>
void write_list(Hdf5File& file, const std::string& name, const std::vector<T>& values) {
  constexpr std::size_t kChunk = std::size_t{1} << 20U;
  if (values.empty()) {
    return;
  }
  file.create_dataset(name, hdf5_type<T>(), {values.size()}, {{std::min(values.size(), kChunk)}});
  file.write_rows(name, 0, values.size(), std::span<const T>(values));
}

template <typename T>
std::vector<T> read_list(const Hdf5File& file, const std::string& name) {
  return file.has(name) ? file.read<T>(name) : std::vector<T>{};
}

}  // namespace btc
