#pragma once
/// Progress of a stage for people: a line per finished unit with elapsed time and ETA, and a bar
/// where stderr is a terminal.

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

#include "common/timer.hpp"

namespace btc {

/// `01:02:03` of seconds.
std::string format_duration(double seconds);

/// One stage on rank 0. Safe from several threads.
class Progress {
 public:
  /// @param done units that were finished before this start
  /// @param show false on the other ranks: nothing is printed
  Progress(std::string stage, std::size_t total, std::size_t done, bool show);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// A unit is finished. `note`: its quality in words.
  void finished(std::string_view unit, std::string_view note);

 private:
  void draw_bar() const;
  std::string stage_;
  std::size_t total_;
  std::size_t at_start_;
  std::size_t done_;
  bool show_;
  bool terminal_;
  Timer timer_;
  std::mutex mutex_;
};

}  // namespace btc
