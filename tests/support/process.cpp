#include "support/process.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <thread>

#include "common/error.hpp"

namespace btc::test {

namespace {

using namespace std::chrono_literals;
constexpr auto kPollInterval = 5ms;
constexpr int kSignalBase = 128;
constexpr double kKillSeconds = 10;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// A file without a name that takes what a program prints.
int open_capture(const char* name) {
  const int file = memfd_create(name, MFD_CLOEXEC);
  BTC_REQUIRE(Error, file >= 0, "memfd_create: ", std::strerror(errno));
  return file;
}

std::string read_capture(int file) {
  std::string text;
  std::array<char, 1U << 16U> buffer{};
  ssize_t got = 0;
  while ((got = pread(file, buffer.data(), buffer.size(), static_cast<off_t>(text.size()))) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

/// What /proc says of a process.
struct ProcessEntry {
  pid_t pid = 0;
  std::string name;
  char state = '?';
  pid_t session = 0;
};

std::optional<ProcessEntry> read_entry(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos) {
    return std::nullopt;  // gone meanwhile
  }
  ProcessEntry entry{.pid = pid, .name = text.substr(open + 1, close - open - 1)};
  pid_t parent = 0;
  pid_t group = 0;
  std::istringstream rest(text.substr(close + 1));
  rest >> entry.state >> parent >> group >> entry.session;
  return entry;
}

std::vector<pid_t> all_pids() {
  std::vector<pid_t> pids;
  DIR* proc = opendir("/proc");
  BTC_REQUIRE(Error, proc != nullptr, "/proc: ", std::strerror(errno));
  while (const dirent* entry = readdir(proc)) {
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && end == name.data() + name.size()) {
      pids.push_back(pid);
    }
  }
  closedir(proc);
  std::sort(pids.begin(), pids.end());
  return pids;
}

/// The caller's environment with additions, as execvpe wants it.
std::vector<std::string> environment_with(const std::map<std::string, std::string>& additions) {
  std::vector<std::string> lines;
  for (char** line = environ; *line != nullptr; ++line) {
    const std::string text = *line;
    if (!additions.contains(text.substr(0, text.find('=')))) {
      lines.push_back(text);
    }
  }
  for (const auto& [key, value] : additions) {
    lines.push_back(concat(key, "=", value));
  }
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) {
    result.push_back(text.data());
  }
  result.push_back(nullptr);
  return result;
}

}  // namespace

Process::Process(const std::vector<std::string>& command, const ProcessOptions& options)
    : out_(open_capture("stdout")),
      err_(open_capture("stderr")),
      started_(now()),
      timeout_(options.timeout_seconds) {
  std::vector<std::string> arguments = command;
  std::vector<std::string> environment = environment_with(options.environment);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  pid_ = fork();
  BTC_REQUIRE(Error, pid_ >= 0, "fork: ", std::strerror(errno));
  if (pid_ == 0) {  // only async-signal-safe calls from here
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // the caller may be killed at its own time limit
    dup2(nothing, STDIN_FILENO);
    dup2(out_, STDOUT_FILENO);
    dup2(err_, STDERR_FILENO);
    execvpe(argv[0], argv.data(), envp.data());
    constexpr int kNotFound = 127;
    _exit(kNotFound);
  }
  close(nothing);
}

Process::~Process() {
  kill_all();
  if (!ended_) {
    wait();
  }
  close(out_);
  close(err_);
}

double Process::seconds() const { return now() - started_; }

void Process::reap(int status) {
  ended_ = true;
  result_.exit_code = WIFSIGNALED(status) ? kSignalBase + WTERMSIG(status) : WEXITSTATUS(status);
  result_.seconds = seconds();
}

bool Process::running() {
  int status = 0;
  if (!ended_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    reap(status);
  }
  return !ended_;
}

std::vector<pid_t> Process::members(std::string_view name) const {
  std::vector<pid_t> result;
  for (const pid_t pid : all_pids()) {
    const auto entry = read_entry(pid);
    const bool alive = entry && entry->state != 'Z' && entry->state != 'X';
    if (alive && entry->session == pid_ && (name.empty() || entry->name == name)) {
      result.push_back(pid);
    }
  }
  return result;
}

void Process::signal(int number) const { kill(pid_, number); }

void Process::kill_all() {
  const double start = now();
  for (std::vector<pid_t> left = members(); !left.empty() && now() - start < kKillSeconds;
       left = members()) {
    for (const pid_t pid : left) {
      kill(pid, SIGKILL);
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

std::string Process::text_so_far() const { return read_capture(out_) + read_capture(err_); }

ProcessResult Process::wait() {
  while (running()) {
    if (!result_.timed_out && seconds() > timeout_) {
      result_.timed_out = true;
      kill_all();
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  result_.out = read_capture(out_);
  result_.err = read_capture(err_);
  return result_;
}

ProcessResult run_process(const std::vector<std::string>& command, const ProcessOptions& options) {
  return Process(command, options).wait();
}

std::vector<std::string> under_mpi(int ranks, const std::vector<std::string>& command) {
  std::vector<std::string> all = {"env",
                                  "OMPI_MCA_mpi_yield_when_idle=1",
                                  BTC_MPIEXEC,
                                  "--allow-run-as-root",
                                  "--oversubscribe",
                                  "--bind-to",
                                  "none",
                                  "-n",
                                  std::to_string(ranks)};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

}  // namespace btc::test
