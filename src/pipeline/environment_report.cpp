#include "pipeline/environment_report.hpp"

#include <sched.h>
#include <sys/sysinfo.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "common/error.hpp"
#include "common/version.hpp"
#include "io/hdf5_file.hpp"
#include "model/block_forward.hpp"

namespace btc {

namespace {

int usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "(not set)" : value;
}

}  // namespace

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "unknown";
}

std::vector<std::string> describe_process(int threads_per_rank) {
  struct sysinfo memory {};
  sysinfo(&memory);
  constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
  return {concat("btc_pipeline: ", version(), " (", git_hash(), git_dirty() ? ", modified)" : ")"),
          concat("MPI: ", MpiEnvironment::library_version()),
          concat("HDF5: ", hdf5_version()),
          concat("LibTorch: ", torch_description()),
          concat("CPU: ", cpu_model(), ", ", usable_cpus(), " usable by this process"),
          concat("memory: ", static_cast<double>(memory.totalram) * memory.mem_unit / kGibibyte,
                 " GiB"),
          concat("threads per rank: ", threads_per_rank),
          concat("MKL_CBWR: ", environment_variable("MKL_CBWR"))};
}

std::string describe_run(const Communicator& comm, int threads_per_rank) {
  std::map<std::string, int> hosts;
  for (const std::string& host : comm.host_names()) {
    ++hosts[host];
  }
  std::string text;
  for (const std::string& line : describe_process(threads_per_rank)) {
    text += line + "\n";
  }
  text += concat("ranks: ", comm.size(), "\n");
  for (const auto& [host, ranks] : hosts) {
    text += concat("host: ", host, " (", ranks, " ranks)\n");
  }
  return text;
}

std::string affinity_warning(int threads_per_rank) {
  const int usable = usable_cpus();
  if (usable >= threads_per_rank) {
    return {};
  }
  return concat("compute.threads_per_rank is ", threads_per_rank, ", but this rank is bound to ",
                usable, " CPU(s); launch with `mpirun --map-by slot:PE=", threads_per_rank,
                "` or `--bind-to none`");
}

}  // namespace btc
