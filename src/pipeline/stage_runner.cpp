#include "pipeline/stage_runner.hpp"

#include <algorithm>
#include <sstream>

#include "comm/agree.hpp"
#include "comm/work_queue.hpp"
#include "common/error.hpp"
#include "common/log.hpp"
#include "pipeline/progress.hpp"

namespace btc {
namespace {

/// In place of a note: the unit was left before its end.
constexpr const char* kLeft = "left";

}  // namespace

std::vector<std::size_t> StageRunner::unfinished(const std::vector<Unit>& units) const {
  std::string text;
  agree(comm_, "reading the records", [&] {
    if (comm_.rank() == 0) {
      for (std::size_t i = 0; i < units.size(); ++i) {
        if (!store_.find(units[i])) {
          text += std::to_string(i) + " ";
        }
      }
    }
  });
  std::istringstream stream(comm_.broadcast(text));
  std::vector<std::size_t> result;
  for (std::size_t index = 0; stream >> index;) {
    result.push_back(index);
  }
  return result;
}

std::size_t StageRunner::run(const std::vector<Unit>& units,
                             const std::function<UnitResult(std::size_t)>& work) {
  const std::vector<std::size_t> todo = unfinished(units);
  if (todo.empty()) {
    return 0;
  }
  stop_point();
  const std::string& stage = units.front().stage;
  Progress progress(stage, units.size(), units.size() - todo.size(), comm_.rank() == 0);
  std::vector<UnitFailure> failures;
  double longest = 0;
  bool left = false;  // a unit before its end
  std::string note;   // of the unit this rank finished last
  const auto compute = [&](int index) {
    const Unit& unit = units[static_cast<std::size_t>(index)];
    const auto failed = [&](const char* reason, bool user_error) {
      log_error(concat(stage, " ", unit.name, ": ", reason));
      failures.push_back({unit.name, reason, user_error});
      store_.record_failure(unit, reason);
      note = "failed";
    };
    try {
      const Timer timer;
      UnitResult result = work(static_cast<std::size_t>(index));
      result.seconds = timer.seconds();
      longest = std::max(longest, result.seconds);
      store_.record(unit, result);
      note = result.note;
    } catch (const Stopped&) {
      left = true;
      note = kLeft;
    } catch (const UserError& error) {
      failed(error.what(), true);
    } catch (const std::exception& error) {
      failed(error.what(), false);
    }
  };
  const QueueReports reports = {[&](int /*index*/) { return note; },
                                [&](int index, const std::string& text) {
                                  if (text != kLeft) {
                                    progress.finished(units[static_cast<std::size_t>(index)].name,
                                                      text);
                                  }
                                }};
  const auto stop = [&] { return !failures.empty() || left || stop_.requested(longest); };
  const QueueOutcome outcome =
      run_queue(comm_, std::vector<int>(todo.begin(), todo.end()), compute, stop, reports);
  agree_on_failures(comm_, stage, failures);
  if (comm_.all_reduce_max(outcome.stopped || left ? 1 : 0) != 0) {
    throw Stopped();
  }
  return todo.size();
}

void StageRunner::leave_point(double next_seconds) {
  if (stop_.requested(next_seconds)) {
    throw Stopped();
  }
}

void StageRunner::stop_point(double longest_unit_seconds) {
  if (comm_.all_reduce_max(stop_.requested(longest_unit_seconds) ? 1 : 0) != 0) {
    throw Stopped();
  }
}

}  // namespace btc
