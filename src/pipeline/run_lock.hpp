#pragma once
/// One start at a time in a run directory.

#include <optional>

#include "io/directory_lock.hpp"
#include "pipeline/run_paths.hpp"
#include "pipeline/stage_runner.hpp"

namespace btc {

/// Waits until no other start works in the run directory: two would take each other's unfinished
/// files for left behind. Rank 0 holds the lock. Collective. @throws Stopped while waiting
std::optional<DirectoryLock> lock_run_directory(StageRunner& runner, const RunPaths& paths);

}  // namespace btc
