#include "pipeline/run_notes.hpp"

#include <array>

#include "pipeline/state.hpp"

namespace btc {

std::vector<RunNote> read_run_notes(const RunPaths& run) {
  constexpr std::array kStages = {"fisher", "learn", "binarize", "encode", "refine", "distill"};
  std::vector<RunNote> notes;
  for (int sweep = 1; std::filesystem::is_directory(run.sweep(sweep).state()); ++sweep) {
    for (const char* stage : kStages) {
      for (const auto& [unit, note] : recorded_notes(run.sweep(sweep).state(), stage)) {
        notes.push_back({sweep, stage, unit, note});
      }
    }
  }
  return notes;
}

}  // namespace btc
