#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "commands.hpp"
#include "common/error.hpp"
#include "config/pipeline_config.hpp"
#include "config/sweep.hpp"
#include "io/atomic_file.hpp"
#include "model/model_config.hpp"
#include "pipeline/plan.hpp"
#include "report/sweep_table.hpp"

namespace btc {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// What `btc sweep` writes and `btc tables` reads, beside the configurations.
constexpr const char* kSweepFile = "sweep.json";

struct SweepOptions {
  std::string file;
  std::string out;
};

void write_sweep(const SweepOptions& options) {
  const Sweep sweep = expand_sweep(options.file, options.out);
  json runs = json::array();
  for (const SweepRun& run : sweep.runs) {
    const fs::path path = fs::path(options.out) / (run.name + ".yaml");
    write_text_file(path, run.yaml);
    runs.push_back({{"name", run.name}, {"label", run.label}, {"paper", run.paper}});
    std::cout << path.string() << "\n";
  }
  write_text_file(fs::path(options.out) / kSweepFile,
                  json{{"title", sweep.title}, {"runs", runs}}.dump(1) + "\n");
}

struct TablesOptions {
  std::string sweep;
  std::string out;
  std::string shapes;
};

SweepRow read_row(const fs::path& directory, const json& run,
                  const std::optional<ModelConfig>& shapes) {
  SweepRow row = {run.at("label"), run.at("paper"), {}, {}};
  const std::string name = run.at("name");
  const fs::path results = directory / name / "results.json";
  if (!fs::exists(results)) {
    return row;
  }
  row.report = parse_results(read_text_file(results), results.string());
  if (shapes) {
    const PipelineConfig config = load_config(directory / (name + ".yaml"), {});
    row.stored_at_shapes = make_plan(config, *shapes, 1).bits.stored;
  }
  return row;
}

/// Figures of a small model are kept apart by their name too.
std::string name_of(const SweepTable& table, const std::string& out) {
  const bool small = std::ranges::any_of(
      table.rows, [](const SweepRow& row) { return row.report && is_toy(*row.report); });
  return small ? out + "_small" : out;
}

void write_tables(const TablesOptions& options) {
  const fs::path file = fs::path(options.sweep) / kSweepFile;
  std::optional<ModelConfig> shapes;
  SweepTable table;
  if (!options.shapes.empty()) {
    shapes = load_model_config(options.shapes);
    table.shapes = fs::path(options.shapes).filename().string();
  }
  try {
    const json sweep = json::parse(read_text_file(file));
    table.title = sweep.at("title");
    for (const json& run : sweep.at("runs")) {
      table.rows.push_back(read_row(options.sweep, run, shapes));
    }
  } catch (const json::exception& error) {
    BTC_THROW(FormatError, file.string(), ": expected what `btc sweep` writes: ", error.what());
  }
  const std::string out = name_of(table, options.out);
  write_text_file(out + ".md", sweep_markdown(table));
  write_text_file(out + ".csv", sweep_csv(table));
  const std::string plot = sweep_plot(table);
  if (!plot.empty()) {
    write_text_file(out + ".svg", plot);
  }
  std::cout << sweep_markdown(table);
}

}  // namespace

void add_sweep(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("sweep", "expand a sweep file into numbered configurations");
  const auto options = std::make_shared<SweepOptions>();
  command->add_option("file", options->file, "sweep file (YAML)")->required();
  command->add_option("--out", options->out, "directory for the configurations and their runs")
      ->required();
  command->callback([options] { write_sweep(*options); });
}

void add_tables(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "tables",
      "put the results of a sweep's runs side by side: OUT.md, OUT.csv, OUT.svg; those of a small "
      "model in OUT_small.*");
  const auto options = std::make_shared<TablesOptions>();
  command->add_option("sweep", options->sweep, "the directory that `btc sweep` wrote")->required();
  command->add_option("--out", options->out, "files to write, without their endings")->required();
  command->add_option(
      "--shapes", options->shapes,
      "directory with the config.json of another model: its stored bits, predicted");
  command->callback([options] { write_tables(*options); });
}

}  // namespace btc
