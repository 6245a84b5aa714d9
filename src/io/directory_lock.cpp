#include "io/directory_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "common/error.hpp"

namespace btc {

std::optional<DirectoryLock> DirectoryLock::try_acquire(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);  // opening tells what is wrong
  constexpr ::mode_t kMode = 0644;
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kMode);
  BTC_REQUIRE(IoError, descriptor >= 0, path.string(),
              ": cannot create: ", std::generic_category().message(errno));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
    return DirectoryLock(descriptor);
  }
  const bool taken = errno == EWOULDBLOCK;
  ::close(descriptor);
  return taken ? std::nullopt : std::optional(DirectoryLock(-1));
}

DirectoryLock::~DirectoryLock() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

}  // namespace btc
