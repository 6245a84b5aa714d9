#pragma once
/// Files that are either complete or absent, whatever is killed when.
///
/// Written as `.<name>.tmp.<host>.<pid>` in the target directory, then fsync, rename, fsync of the
/// directory.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "common/hash.hpp"

namespace btc {

/// Name under which `path` is written before it is complete.
std::filesystem::path temporary_path(const std::filesystem::path& path);
/// Makes the finished temporary file durable and gives it its name. @throws IoError
void commit_file(const std::filesystem::path& temporary, const std::filesystem::path& path);
/// Removes temporary files directly in `directory` that nobody writes any more: their process is
/// gone, or nothing was written for an hour (the rule for other hosts). Absent directory: nothing
/// to do.
void remove_temporaries(const std::filesystem::path& directory);

/// Sequential writer with a running SHA-256. Without `commit` nothing remains.
class AtomicFile {
 public:
  /// Creates the directory if need be. @throws IoError naming path and reason (unwritable, ...)
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  /// @throws IoError, e.g. on a full disk, naming file and bytes
  void write(std::span<const std::byte> bytes);
  /// SHA-256 of everything written, 64 hex digits; nothing can be written after it.
  const std::string& sha256();
  /// Makes the file durable and visible. @return its SHA-256
  std::string commit();
  [[nodiscard]] std::size_t bytes_written() const { return bytes_; }

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  std::size_t bytes_ = 0;
  Sha256 sha_;
  std::string digest_;  ///< empty until `sha_` is finished
};

/// The whole text through an AtomicFile.
void write_text_file(const std::filesystem::path& path, std::string_view text);
/// A whole file as text. @throws IoError
std::string read_text_file(const std::filesystem::path& path);

}  // namespace btc
