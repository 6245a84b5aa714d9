#include "report/sweep_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "report/scatter_plot.hpp"

namespace btc {
namespace {

/// Stages that say how long the quantization took; the others read or measure the original.
constexpr std::array<std::string_view, 3> kNotQuantization = {"sequences", "capture", "evaluate"};

double quantize_seconds(const RunReport& report) {
  double sum = 0;
  for (const auto& [stage, seconds] : report.seconds) {
    sum += std::ranges::find(kNotQuantization, stage) == kNotQuantization.end() ? seconds : 0;
  }
  return sum;
}

std::string measured_how(const PerplexityResult& r) {
  const bool all = r.windows >= r.tokens / r.window;
  return fmt::format("{}: protocol {}, window {}, {}{} windows of a text of {} tokens, {} BOS",
                     r.name, r.protocol, r.window, all ? "all " : "the first ", r.windows, r.tokens,
                     r.add_bos ? "with" : "without");
}

/// How each text was measured, each way once, in the order of the runs.
std::vector<std::string> ways_of_measuring(const SweepTable& table) {
  std::vector<std::string> ways;
  for (const SweepRow& row : table.rows) {
    for (const PerplexityResult& result :
         row.report ? row.report->perplexity : std::vector<PerplexityResult>{}) {
      const std::string way = measured_how(result);
      if (std::ranges::find(ways, way) == ways.end()) {
        ways.push_back(way);
      }
    }
  }
  return ways;
}

std::optional<double> perplexity_of(const RunReport& report, std::string_view subject,
                                    const std::string& way) {
  for (const PerplexityResult& result : report.perplexity) {
    if (result.subject == subject && measured_how(result) == way) {
      return result.value;
    }
  }
  return std::nullopt;
}

std::string number(const std::optional<double>& value, int decimals) {
  return value ? fmt::format("{:.{}f}", *value, decimals) : "";
}

std::optional<double> ratio(const std::optional<double>& packed,
                            const std::optional<double>& original) {
  return packed && original ? std::optional(*packed / *original) : std::nullopt;
}

bool has_paper_figures(const SweepTable& table) {
  return std::ranges::any_of(table.rows, [](const SweepRow& row) { return !row.paper.empty(); });
}

using Cells = std::vector<std::string>;

std::string markdown_line(const Cells& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) {
    line += " " + cell + " |";
  }
  return line + "\n";
}

Cells header_cells(const SweepTable& table, const std::vector<std::string>& ways) {
  Cells cells = {"run", "nominal bits", "sign bits", "stored bits"};
  if (!table.shapes.empty()) {
    cells.push_back("stored bits at " + table.shapes + " shapes");
  }
  cells.emplace_back("model bits");
  for (const std::string& way : ways) {
    const std::string name = way.substr(0, way.find(':'));
    cells.insert(cells.end(), {"perplexity " + name, "ratio"});
  }
  cells.insert(cells.end(), {"quantize s", "configuration"});
  if (has_paper_figures(table)) {
    cells.emplace_back("the papers' figure (theirs)");
  }
  return cells;
}

Cells row_cells(const SweepTable& table, const SweepRow& row,
                const std::vector<std::string>& ways) {
  constexpr std::size_t kHashDigits = 12;
  Cells cells = {row.label};
  if (!row.report) {
    cells.emplace_back("not finished");
    cells.resize(header_cells(table, ways).size());
    return cells;
  }
  const RunReport& report = *row.report;
  cells.insert(cells.end(), {number(report.nominal_bits, 4), number(report.sign_bits, 4),
                             number(report.stored_bits, 4)});
  if (!table.shapes.empty()) {
    cells.push_back(number(row.stored_at_shapes, 4));
  }
  cells.push_back(number(report.model_bits, 4));
  for (const std::string& way : ways) {
    const auto packed = perplexity_of(report, "packed", way);
    cells.push_back(number(packed, 3));
    cells.push_back(number(ratio(packed, perplexity_of(report, "original", way)), 4));
  }
  cells.push_back(number(quantize_seconds(report), 1));
  cells.push_back(report.config_sha256.substr(0, kHashDigits));
  if (has_paper_figures(table)) {
    cells.push_back(row.paper);
  }
  return cells;
}

std::string originals(const SweepTable& table, const std::vector<std::string>& ways) {
  std::string text;
  for (const std::string& way : ways) {
    for (const SweepRow& row : table.rows) {
      const auto value = row.report ? perplexity_of(*row.report, "original", way) : std::nullopt;
      if (value) {
        text += fmt::format("* {}. Original model: {:.3f}\n", way, *value);
        break;
      }
    }
  }
  return text;
}

const RunReport* first_report(const SweepTable& table) {
  for (const SweepRow& row : table.rows) {
    if (row.report) {
      return &*row.report;
    }
  }
  return nullptr;
}

std::string subject_of(const SweepTable& table) {
  const RunReport* report = first_report(table);
  return report ? fmt::format("{}{}", report->model, is_toy(*report) ? " (a small model)" : "")
                : "";
}

std::string csv_line(const Cells& cells) {
  std::string line;
  for (const std::string& cell : cells) {
    line += (line.empty() ? "" : ",") + csv_field(cell);
  }
  return line + "\n";
}

}  // namespace

std::string sweep_markdown(const SweepTable& table) {
  std::string text = "# " + table.title + "\n\n";
  if (const RunReport* report = first_report(table)) {
    text += fmt::format(
        "Model `{}`, {} parameters, {} of them in quantized Linears.{}\n\n", report->model,
        report->parameters, report->linear_weights,
        is_toy(*report) ? " **A small model: its figures say little about large ones.**" : "");
  }
  const auto ways = ways_of_measuring(table);
  const Cells header = header_cells(table, ways);
  text += markdown_line(header);
  text += "|---|";
  for (std::size_t i = 1; i < header.size(); ++i) {
    text += "---:|";
  }
  text += "\n";
  for (const SweepRow& row : table.rows) {
    text += markdown_line(row_cells(table, row, ways));
  }
  const std::string measured = originals(table, ways);
  return measured.empty() ? text : text + "\n" + measured;
}

std::string sweep_csv(const SweepTable& table) {
  const auto ways = ways_of_measuring(table);
  std::string text = csv_line(header_cells(table, ways));
  for (const SweepRow& row : table.rows) {
    text += csv_line(row_cells(table, row, ways));
  }
  return text;
}

std::string sweep_plot(const SweepTable& table) {
  const auto ways = ways_of_measuring(table);
  std::vector<PlotPoint> points;
  std::optional<double> original;
  for (const SweepRow& row : table.rows) {
    if (!row.report || ways.empty()) {
      continue;
    }
    const auto packed = perplexity_of(*row.report, "packed", ways.front());
    original = original ? original : perplexity_of(*row.report, "original", ways.front());
    if (packed) {
      points.push_back({row.report->stored_bits, *packed, row.label});
    }
  }
  if (points.empty()) {
    return {};
  }
  return scatter_svg({.title = table.title,
                      .subtitle = subject_of(table) + "; " + ways.front(),
                      .x_name = "stored bits per weight",
                      .y_name = "perplexity",
                      .points = std::move(points),
                      .level = original,
                      .level_name = "original"});
}

}  // namespace btc
