#pragma once
/// A file system of a few MiB, for writing until it is full.

#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

#include "common/error.hpp"

namespace btc::test {

/// Mounts a tmpfs at `directory`, in a mount namespace of this process: it ends with the process
/// and nobody else sees it. Needs the rights of an administrator.
class SmallDisk {
 public:
  SmallDisk(std::filesystem::path directory, std::size_t bytes) : path_(std::move(directory)) {
    std::filesystem::create_directories(path_);
    const std::string options = concat("size=", bytes);
    mounted_ = ::unshare(CLONE_NEWNS) == 0 &&
               ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               ::mount("none", path_.c_str(), "tmpfs", 0, options.c_str()) == 0;
    reason_ = mounted_ ? "" : concat("cannot mount a tmpfs: ", std::strerror(errno));
  }
  ~SmallDisk() {
    if (mounted_) {
      ::umount2(path_.c_str(), MNT_DETACH);
    }
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  /// Why there is none; empty if there is.
  [[nodiscard]] const std::string& missing_reason() const { return reason_; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::string reason_;
  bool mounted_ = false;
};

}  // namespace btc::test
