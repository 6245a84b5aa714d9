#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "choices.hpp"
#include "commands.hpp"
#include "common/error.hpp"
#include "inspect/inspection.hpp"
#include "io/atomic_file.hpp"
#include "learn/block_transform.hpp"
#include "model/checkpoint.hpp"
#include "pipeline/run_notes.hpp"
#include "pipeline/run_paths.hpp"
#include "pipeline/transforms.hpp"

namespace btc {

namespace {

namespace fs = std::filesystem;

struct InspectOptions {
  std::string model;
  std::vector<std::string> show;
  std::string run;       ///< empty: the folder of the model, if it is a run directory
  std::string original;  ///< empty: no weight errors
  std::string plot;      ///< empty: no plots
  std::size_t tokens = 128;
  bool json = false;

  /// Whether this part is asked for: by its name, by what only it needs, or because everything is.
  [[nodiscard]] bool shows(const std::string& part) const {
    if (part == "errors" && show.empty() && plot.empty() && !(original.empty() && run.empty())) {
      return true;
    }
    const bool all = show.empty() ? json : std::find(show.begin(), show.end(), "all") != show.end();
    return all || std::find(show.begin(), show.end(), part) != show.end();
  }
};

void print_summary(const ModelReport& report) {
  std::uint64_t bytes = 0;
  for (const ModelFile& file : report.files) {
    std::cout << fmt::format("{:<44} {:>14}  sha256 {}\n", file.name, file.bytes, file.sha256);
    bytes += file.bytes;
  }
  std::cout << fmt::format("{} files, {} bytes, every checksum matches\n\nledger\n",
                           report.files.size(), bytes);
  for (const LedgerLine& line : totals_by_category(report.ledger)) {
    std::cout << fmt::format("  {:<14} {:>16}\n", line.category, line.bytes);
  }
  std::cout << fmt::format("  {:<14} {:>16}  (= size of the safetensors files)\n", "total",
                           total_bytes(report.ledger));
  std::cout << fmt::format("bits  nominal {:.4f}  sign {:.4f}  stored {:.4f}  model {:.4f}\n",
                           report.bits.nominal, report.bits.sign, report.bits.stored,
                           report.bits.model);
}

/// The run directory: given, or the folder that a run keeps its model in. Empty: unknown.
fs::path run_directory(const InspectOptions& options) {
  if (!options.run.empty()) {
    BTC_REQUIRE(InputError, fs::is_directory(fs::path(options.run) / "state"), options.run,
                ": expected a run directory, with a folder state");
    return options.run;
  }
  const fs::path above = fs::absolute(options.model).lexically_normal().parent_path();
  return fs::is_directory(above / "state") ? above : fs::path();
}

/// The original's blocks, with what a transform merges into their weights.
OriginalBlock original_blocks(const PackedDirectory& packed, const InspectOptions& options) {
  if (options.original.empty()) {
    return {};
  }
  const std::shared_ptr<const Checkpoint> original = Checkpoint::open(options.original);
  const ModelConfig& config = original->config();
  BTC_REQUIRE(InputError,
              config.blocks == packed.config().blocks &&
                  linear_weight_count(config) == linear_weight_count(packed.config()),
              options.original, ": is not the original of ", options.model,
              ": its blocks have other sizes");
  if (!packed.packed_config().format.transform) {
    return [original](int block) { return original->load_block(block); };
  }
  const RunPaths paths{run_directory(options)};
  BTC_REQUIRE(InputError, !paths.root.empty(), options.model,
              ": has a transform, parts of which are merged into its weights: the error of the "
              "weights needs --run DIR, the run directory with its transforms");
  return [original, paths](int block) {
    BlockWeights weights = original->load_block(block);
    merge_transform(original->config(), read_transform(paths.transform(block), original->config()),
                    weights);
    return weights;
  };
}

void inspect_inputs(const InspectOptions& options, Inspection& inspection) {
  const ResidentModel model = load_packed(PackedModel::open(options.model));
  const Workers workers(std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
  inspection.tokens = std::min(options.tokens, model.config().max_position);
  inspection.inputs = activation_statistics(model, workers, inspection.tokens, 0);
}

Inspection look_at(const InspectOptions& options) {
  Inspection inspection;
  inspection.report = inspect_model(options.model);
  const bool plots = !options.plot.empty();
  const PackedDirectory directory(options.model);
  if (options.shows("tensors")) {
    inspection.tensors = stored_tensors(directory);
  }
  if (options.shows("errors") && !run_directory(options).empty()) {
    inspection.notes = read_run_notes({run_directory(options)});
  }
  const bool errors = !options.original.empty() && (options.shows("errors") || plots);
  if (options.shows("groups") || options.shows("codebooks") || errors || plots) {
    inspect_linears(directory, errors ? original_blocks(directory, options) : OriginalBlock(),
                    inspection);
  }
  if (options.shows("activations") || plots) {
    inspect_inputs(options, inspection);
  }
  return inspection;
}

/// What was asked for by name and is not there, so that silence is no answer. On stderr: stdout may
/// be JSON.
void say_what_is_missing(const InspectOptions& options, const Inspection& inspection) {
  if (options.show.empty()) {
    return;
  }
  if (options.shows("errors") && inspection.notes.empty() && options.original.empty()) {
    std::cerr << "errors: no record of the run beside the model; --run DIR names the run "
                 "directory, --original DIR gives the error of the weights\n";
  }
  if (options.shows("codebooks") && inspection.codebooks.empty()) {
    std::cerr << "codebooks: none, the signs or levels are stored as they are\n";
  }
}

/// What was computed for the plots alone, or on the way to something else, is not printed.
void drop_unasked(const InspectOptions& options, Inspection& inspection) {
  if (!options.shows("groups") && !options.shows("errors")) {
    inspection.linears.clear();
  }
  if (!options.shows("codebooks")) {
    inspection.codebooks.clear();
  }
  if (!options.shows("activations")) {
    inspection.inputs.clear();
  }
}

void write_plots(const InspectOptions& options, const Inspection& inspection) {
  const fs::path directory = options.plot;
  fs::create_directories(directory);
  for (const PlotFile& file : inspection_plots(inspection)) {
    write_text_file(directory / file.name, file.text);
    std::cerr << (directory / file.name).string() << "\n";
  }
  if (options.original.empty()) {
    std::cerr << "no picture of the error of the weights: it needs --original DIR\n";
  }
}

void inspect(const InspectOptions& options) {
  Inspection inspection = look_at(options);
  say_what_is_missing(options, inspection);
  if (!options.plot.empty()) {
    write_plots(options, inspection);
  }
  drop_unasked(options, inspection);
  if (options.json) {
    std::cout << inspection_json(inspection);
    return;
  }
  print_summary(inspection.report);
  std::cout << inspection_text(inspection);
}

}  // namespace

void add_inspect(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "inspect", "verify every checksum of a packed model, print its ledger and what is in it");
  const auto options = std::make_shared<InspectOptions>();
  command->add_option("model", options->model, "packed model directory")->required();
  command
      ->add_option("--show", options->show,
                   "more about it, words joined by commas: tensors (tree with type, shape, bytes), "
                   "errors (what the run recorded; of the weights with --original), groups, "
                   "codebooks, activations, all")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"tensors", "errors", "groups", "codebooks", "activations", "all"}));
  command->add_flag("--json", options->json, "print JSON; without --show, all of it");
  command->add_option("--run", options->run,
                      "run directory that made the model (default: the folder it lies in)");
  command->add_option(
      "--original", options->original,
      "original model, for the error of the weights; without --show or --plot, shows it");
  command->add_option("--plot", options->plot,
                      "write pictures (SVG) and their data (CSV) into this directory");
  command
      ->add_option("--tokens", options->tokens,
                   "length of the text that activations are taken from; the model samples it")
      ->check(at_least(1))
      ->capture_default_str();
  command->callback([options] { inspect(*options); });
}

}  // namespace btc
