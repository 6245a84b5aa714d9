#pragma once
/// Programs run as sub-processes, each in a session of its own, so that nothing of them survives.

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace btc::test {

struct ProcessOptions {
  std::map<std::string, std::string> environment;  ///< added to the caller's
  double timeout_seconds = 60;                     ///< then everything is killed
};

struct ProcessResult {
  int exit_code = 0;  ///< or 128 + number of the signal that ended it
  bool timed_out = false;
  double seconds = 0;
  std::string out;
  std::string err;
  /// Both, for messages and searches that do not care which.
  [[nodiscard]] std::string text() const { return out + err; }
};

/// A program under way. Its children are in its session, also those that leave its process group
/// (as the ranks of Open MPI do) or lose their parent; so all of them can be found and killed.
class Process {
 public:
  /// @param command program (searched in PATH) and arguments
  /// @throws Error if it cannot be started
  explicit Process(const std::vector<std::string>& command, const ProcessOptions& options = {});
  /// Kills whatever still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] double seconds() const;
  [[nodiscard]] bool running();
  /// Living processes of the session whose program has this name (at most 15 characters), oldest
  /// first; empty name: all.
  [[nodiscard]] std::vector<pid_t> members(std::string_view name = {}) const;
  /// To the started program alone.
  void signal(int number) const;
  /// SIGKILL to all of the session, until none is left.
  void kill_all();
  /// What was printed so far.
  [[nodiscard]] std::string text_so_far() const;
  /// Waits for the end, or kills all at the timeout.
  ProcessResult wait();

 private:
  void reap(int status);
  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  double started_ = 0;
  double timeout_ = 0;
  bool ended_ = false;
  ProcessResult result_;
};

/// Start and wait.
ProcessResult run_process(const std::vector<std::string>& command,
                          const ProcessOptions& options = {});

/// `command` under mpirun: any number of ranks on any number of cores, waiting ranks yield.
std::vector<std::string> under_mpi(int ranks, const std::vector<std::string>& command);

}  // namespace btc::test
