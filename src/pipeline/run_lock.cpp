#include "pipeline/run_lock.hpp"

#include <chrono>
#include <thread>

#include "comm/agree.hpp"
#include "common/error.hpp"
#include "common/log.hpp"

namespace btc {

std::optional<DirectoryLock> lock_run_directory(StageRunner& runner, const RunPaths& paths) {
  constexpr auto kLook = std::chrono::milliseconds(200);
  const Communicator& comm = runner.comm();
  std::optional<DirectoryLock> lock;
  for (bool first = true;; first = false) {
    agree(comm, "locking the run directory", [&] {
      if (comm.rank() == 0) {
        lock = DirectoryLock::try_acquire(paths.lock());
      }
    });
    if (comm.all_reduce_max(lock.has_value() ? 1 : 0) != 0) {
      if (lock && !lock->is_held()) {
        log_warning(concat(paths.root.string(), ": its file system has no locks; a second start ",
                           "in this directory would disturb this one"));
      }
      return lock;
    }
    if (first && comm.rank() == 0) {
      log_info(concat("waiting: another start works in ", paths.root.string()));
    }
    runner.stop_point();
    std::this_thread::sleep_for(kLook);
  }
}

}  // namespace btc
