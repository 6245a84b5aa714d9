#pragma once
/// One process at a time in a directory.

#include <filesystem>
#include <optional>
#include <utility>

namespace btc {

/// Held as long as the object lives. The system lets go when the process ends, however it ends.
class DirectoryLock {
 public:
  /// Creates the file `path` (and its folder) and locks it.
  /// @return nullopt if another process holds it. On a file system without locks nothing is held:
  ///         `is_held` says so
  /// @throws IoError if the file cannot be created
  static std::optional<DirectoryLock> try_acquire(const std::filesystem::path& path);
  ~DirectoryLock();
  DirectoryLock(DirectoryLock&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

  [[nodiscard]] bool is_held() const { return descriptor_ >= 0; }

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace btc
