#pragma once
/// What a run wrote down about the quality of each unit.

#include <filesystem>
#include <string>
#include <vector>

namespace btc {

struct RunNote {
  int sweep = 1;
  std::string stage;
  std::string unit;  ///< `block-00003`, `epoch-2`
  std::string note;  ///< in words: `relative error mean 0.2, worst 0.3 (down_proj)`
};

/// Notes of the finished units of the stages that change or train weights, by sweep, stage, unit;
/// units without a note are left out.
/// @throws FormatError naming the record that is damaged or of another version
std::vector<RunNote> read_run_notes(const std::filesystem::path& run_directory);

}  // namespace btc
