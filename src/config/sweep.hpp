#pragma once
/// Sweeps: many runs that differ in a few keys, from one file.

#include <filesystem>
#include <string>
#include <vector>

namespace btc {

/// One run of a sweep.
struct SweepRun {
  std::string name;   ///< `03_btc_0.8`: of its configuration file and its run directory
  std::string label;  ///< what it changes, for tables
  std::string paper;  ///< the figure a paper gives for this setting, with its source; may be empty
  std::string yaml;   ///< the whole configuration
};

struct Sweep {
  std::string title;
  std::vector<SweepRun> runs;
};

/// Expands a sweep file. Its keys:
///   title  of the table
///   base   configuration file that all runs begin from
///   set    keys that all runs change: `{a.b: value}`
///   runs   list of `{name, set, paper}`
///   axes   `{a.b: [values]}`; the runs are all combinations, the last axis fastest. With `runs`
///          each of them is combined with all of these
/// Every run gets `run.dir: DIRECTORY/NAME`, and `run.shared: DIRECTORY/shared` unless it has one.
/// @throws ConfigError naming file, line and key; also for a run whose configuration is wrong
Sweep expand_sweep(const std::filesystem::path& file, const std::filesystem::path& directory);

}  // namespace btc
