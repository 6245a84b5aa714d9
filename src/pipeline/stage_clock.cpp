#include "pipeline/stage_clock.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/timer.hpp"
#include "io/atomic_file.hpp"

namespace btc {

using nlohmann::json;

StageClock::StageClock(std::filesystem::path file, bool keep, Backend& backend)
    : file_(std::move(file)), keep_(keep), backend_(backend) {
  std::error_code error;
  if (!std::filesystem::exists(file_, error)) {
    return;
  }
  const json kept = json::parse(read_text_file(file_), nullptr, false);
  if (kept.is_array()) {  // anything else is only a lost stopwatch
    seconds_ = kept.get<std::vector<std::pair<std::string, double>>>();
  }
}

void StageClock::time(std::string_view stage, const std::function<std::size_t()>& body) {
  const Timer timer;
  const std::shared_ptr<void> range = backend_.range(stage);
  const std::size_t computed = body();
  auto entry = std::find_if(seconds_.begin(), seconds_.end(),
                            [&](const auto& known) { return known.first == stage; });
  if (entry == seconds_.end()) {
    entry = seconds_.insert(seconds_.end(), {std::string(stage), 0.0});
  }
  if (computed > 0) {
    worked_ = true;
    entry->second += timer.seconds();
    save();
  }
}

void StageClock::save() const {
  if (keep_) {
    write_text_file(file_, json(seconds_).dump(1) + "\n");
  }
}

}  // namespace btc
