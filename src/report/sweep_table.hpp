#pragma once
/// The runs of a sweep side by side: Markdown, CSV and a plot. Only text is made here.

#include <optional>
#include <string>
#include <vector>

#include "report/run_report.hpp"

namespace btc {

struct SweepRow {
  std::string label;                       ///< what the run changes
  std::string paper;                       ///< a paper's figure for this setting, with its source
  std::optional<RunReport> report;         ///< nullopt: not finished
  std::optional<double> stored_at_shapes;  ///< stored bits predicted for the other model's shapes
};

struct SweepTable {
  std::string title;
  std::string shapes;  ///< name of the other model; empty: no such column
  std::vector<SweepRow> rows;
};

/// Nominal, sign, stored and model bits together, then each text's perplexity and its ratio to the
/// original's; below the table how each was measured. Papers' figures stand in a column of their
/// own.
std::string sweep_markdown(const SweepTable& table);
/// One row per run and text, the same columns.
std::string sweep_csv(const SweepTable& table);
/// Stored bits against perplexity of the first text, as SVG; empty if nothing was measured.
std::string sweep_plot(const SweepTable& table);

}  // namespace btc
