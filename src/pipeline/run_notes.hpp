#pragma once
/// What a run recorded about the quality of its units.

#include <vector>

#include "pipeline/run_paths.hpp"
#include "report/run_note.hpp"

namespace btc {

/// Notes of the finished units of the stages that change or train weights, by sweep, stage, unit;
/// units without a note are left out.
/// @throws FormatError naming the record that is damaged or of another version
std::vector<RunNote> read_run_notes(const RunPaths& run);

}  // namespace btc
