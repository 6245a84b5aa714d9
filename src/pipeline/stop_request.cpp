#include "pipeline/stop_request.hpp"

#include <csignal>
#include <utility>

namespace btc {

namespace {
/// Set by the signal handler; the one thing a handler may touch.
volatile std::sig_atomic_t stop_signal = 0;

void remember_signal(int /*number*/) { stop_signal = 1; }
}  // namespace

void install_stop_signals() {
  struct sigaction action {};
  action.sa_handler = remember_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGUSR1, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

StopRequest::StopRequest(std::filesystem::path stop_file, std::optional<double> max_hours)
    : stop_file_(std::move(stop_file)) {
  constexpr double kSecondsPerHour = 3600;
  if (max_hours) {
    max_seconds_ = *max_hours * kSecondsPerHour;
  }
}

bool StopRequest::requested(double longest_unit_seconds) {
  if (reason_ != nullptr) {
    return true;
  }
  const double now = since_start_.seconds();
  if (stop_signal != 0) {
    reason_ = "signal";
  } else if (max_seconds_ && now + longest_unit_seconds > *max_seconds_) {
    reason_ = "--max-hours";
  } else if (std::error_code error; std::filesystem::exists(stop_file_, error)) {
    reason_ = "stop file";
  }
  return reason_ != nullptr;
}

}  // namespace btc
