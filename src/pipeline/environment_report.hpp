#pragma once
/// What this process runs on: for environment.txt and `btc doctor`.

#include <string>
#include <vector>

#include "comm/communicator.hpp"

namespace btc {

/// Model name of the processor.
std::string cpu_model();
/// Build, libraries, CPU, threads and memory of this process, one `name: value` line each.
std::vector<std::string> describe_process(int threads_per_rank);
/// The same for a run: with ranks and hosts. Collective.
std::string describe_run(const Communicator& comm, int threads_per_rank);
/// A warning if this process may use fewer CPUs than it wants threads; else empty.
std::string affinity_warning(int threads_per_rank);

}  // namespace btc
