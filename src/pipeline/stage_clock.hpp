#pragma once
/// Wall time per stage, added up over all starts of a run.

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/backend.hpp"

namespace btc {

class StageClock {
 public:
  /// @param file keeps the sums; @param keep true on the one rank that writes it
  /// @param backend lives as long as this
  StageClock(std::filesystem::path file, bool keep, Backend& backend);
  /// Runs a stage that returns how many units it computed, and adds its time if there were any. A
  /// profiler of the backend's device sees it under its name.
  void time(std::string_view stage, const std::function<std::size_t()>& body);
  /// Seconds per stage in the order of the first start.
  [[nodiscard]] const std::vector<std::pair<std::string, double>>& seconds() const {
    return seconds_;
  }
  /// True if any stage computed anything in this start.
  [[nodiscard]] bool worked() const { return worked_; }

 private:
  void save() const;
  std::filesystem::path file_;
  bool keep_;
  Backend& backend_;
  bool worked_ = false;
  std::vector<std::pair<std::string, double>> seconds_;
};

}  // namespace btc
