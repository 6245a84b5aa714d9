#include "pipeline/progress.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "common/error.hpp"
#include "common/log.hpp"

namespace btc {

namespace {

bool is_terminal(const std::string& path) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
  if (descriptor < 0) {
    return false;
  }
  const bool terminal = isatty(descriptor) != 0;
  close(descriptor);
  return terminal;
}

/// Whether somebody watches stderr on a terminal. Open MPI's mpirun gives its ranks a pipe whatever
/// its own stderr is, so under it the launcher's decides.
bool stderr_is_watched() {
  struct stat status {};
  const bool pipe = fstat(STDERR_FILENO, &status) == 0 && S_ISFIFO(status.st_mode);
  if (pipe && std::getenv("OMPI_COMM_WORLD_RANK") != nullptr) {
    return is_terminal("/proc/" + std::to_string(getppid()) + "/fd/2");
  }
  return isatty(STDERR_FILENO) != 0;
}

}  // namespace

std::string format_duration(double seconds) {
  const auto whole = static_cast<long>(seconds < 0 ? 0 : seconds);
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%02ld:%02ld:%02ld", whole / 3600, whole / 60 % 60,
                whole % 60);
  return text.data();
}

Progress::Progress(std::string stage, std::size_t total, std::size_t done, bool show)
    : stage_(std::move(stage)),
      total_(total),
      at_start_(done),
      done_(done),
      show_(show),
      terminal_(show && stderr_is_watched()) {
  if (show_ && done_ < total_) {
    log_info(concat(stage_, ": ", total_ - done_, " of ", total_, " units to do"));
    draw_bar();
  }
}

Progress::~Progress() {
  if (terminal_ && done_ > at_start_) {
    std::fputs("\r\x1b[K", stderr);
  }
}

void Progress::finished(std::string_view unit, std::string_view note) {
  const std::lock_guard lock(mutex_);
  ++done_;
  if (!show_) {
    return;
  }
  if (terminal_) {
    std::fputs("\r\x1b[K", stderr);
  }
  const double elapsed = timer_.seconds();
  const double per_unit = elapsed / static_cast<double>(done_ - at_start_);
  const double left = per_unit * static_cast<double>(total_ - done_);
  log_info(concat(stage_, " ", done_, "/", total_, "  ", unit, note.empty() ? "" : "  ", note,
                  "  elapsed ", format_duration(elapsed), "  eta ", format_duration(left)));
  draw_bar();
}

void Progress::draw_bar() const {
  if (!terminal_ || done_ == total_) {
    return;
  }
  constexpr std::size_t kWidth = 30;
  const std::size_t filled = kWidth * done_ / total_;
  const std::string bar = std::string(filled, '#') + std::string(kWidth - filled, '.');
  std::fprintf(stderr, "%s [%s] %zu/%zu", stage_.c_str(), bar.c_str(), done_, total_);
  std::fflush(stderr);
}

}  // namespace btc
