#pragma once
/// Requests to end a run early, at the next boundary between units: SIGUSR1 (or SIGTERM),
/// `--max-hours`, or a file STOP in the run directory.

#include <filesystem>
#include <optional>

#include "common/timer.hpp"

namespace btc {

/// Makes SIGUSR1 and SIGTERM set a flag instead of killing. Call first in main, before MPI starts.
void install_stop_signals();

/// Asked at boundaries. Each rank has one; any rank's yes stops all.
class StopRequest {
 public:
  /// @param max_hours since this object was made; nullopt: no limit
  StopRequest(std::filesystem::path stop_file, std::optional<double> max_hours);
  /// @param longest_unit_seconds so far in this stage: a unit that would end after the limit is not
  ///        begun
  [[nodiscard]] bool requested(double longest_unit_seconds = 0);
  /// Which of the three it was, for the log.
  [[nodiscard]] const char* reason() const { return reason_; }

 private:
  std::filesystem::path stop_file_;
  std::optional<double> max_seconds_;
  Timer since_start_;
  const char* reason_ = nullptr;
};

}  // namespace btc
