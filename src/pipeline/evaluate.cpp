#include "pipeline/evaluate.hpp"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

#include "calibration/tokens.hpp"
#include "comm/agree.hpp"
#include "common/error.hpp"
#include "common/hash.hpp"
#include "eval/perplexity.hpp"
#include "pipeline/fingerprints.hpp"
#include "pipeline/progress.hpp"
#include "pipeline/sequences.hpp"

namespace btc {

using nlohmann::json;

namespace {

constexpr int kEvaluateVersion = 2;

/// Windows of one perplexity, made and kept in the run directory.
struct KeptWindows {
  Unit unit;
  std::string protocol;  ///< @see EvaluationWindows
  std::size_t windows = 0;
  std::uint64_t tokens = 0;
  bool add_bos = false;
};

std::vector<Unit> part_units(std::string_view subject, const EvaluationSubject& model,
                             const PerplexityParams& params, const KeptWindows& windows,
                             std::size_t part_rows) {
  std::vector<Unit> units;
  for (std::size_t first = 0; first < windows.windows; first += part_rows) {
    const std::size_t end = std::min(first + part_rows, windows.windows);
    units.push_back({"evaluate",
                     concat(subject, "-", params.name, "-", units.size()),
                     {},
                     make_fingerprint("evaluate", kEvaluateVersion,
                                      {{"model", model.fingerprint},
                                       {"windows", windows.unit.fingerprint},
                                       {"part", concat(first, "-", end)}}),
                     model.records});
  }
  return units;
}

/// Negative log-likelihoods of the windows of one part, in window order, on every rank.
std::vector<double> nll_of_part(const Communicator& comm, const ModelSource& model,
                                MatrixView<const std::int32_t> windows,
                                std::size_t windows_in_memory, TorchPlace place) {
  const std::size_t share = ceil_div(windows.rows(), static_cast<std::size_t>(comm.size()));
  const std::size_t first = std::min(share * static_cast<std::size_t>(comm.rank()), windows.rows());
  const std::size_t end = std::min(first + share, windows.rows());
  json mine = json::array();
  agree(comm, "evaluate", [&] {
    if (first < end) {
      mine =
          window_nll(model, windows.sub(first, end, 0, windows.cols()), windows_in_memory, place);
    }
  });
  std::vector<double> all;
  for (const std::string& text : comm.all_gather(mine.dump())) {
    const auto values = json::parse(text).get<std::vector<double>>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

/// Makes the windows unless they are there. Collective.
KeptWindows keep_windows(StageRunner& runner, const Unit& unit, const PerplexityParams& params,
                         const PipelineConfig& config, const ModelSource& original,
                         std::size_t& computed) {
  const Communicator& comm = runner.comm();
  if (!runner.unfinished({unit}).empty()) {
    runner.stop_point();
    const Timer timer;
    const EvaluationWindows windows = read_evaluation(params, config, original, comm);
    agree(comm, concat("keeping the windows of ", params.name), [&] {
      if (comm.rank() != 0) {
        return;
      }
      write_sequences(unit.file, windows.ids, original.config().vocab_size, windows.protocol);
      runner.store().record(unit, {.bytes = std::filesystem::file_size(unit.file),
                                   .sha256 = sha256_file(unit.file),
                                   .seconds = timer.seconds(),
                                   .note = {},
                                   .payload = json{{"protocol", windows.protocol},
                                                   {"windows", windows.ids.rows()},
                                                   {"tokens", windows.tokens},
                                                   {"add_bos", windows.add_bos}}
                                                  .dump()});
    });
    ++computed;
  }
  const json kept = json::parse(runner.store().at(unit).payload);
  return {.unit = unit,
          .protocol = kept.at("protocol"),
          .windows = kept.at("windows"),
          .tokens = kept.at("tokens"),
          .add_bos = kept.at("add_bos")};
}

/// One perplexity of one model. Collective.
PerplexityResult measure_perplexity(StageRunner& runner, const EvaluationSubject& subject,
                                    const PerplexityParams& params, const KeptWindows& windows,
                                    std::size_t windows_in_memory, TorchPlace place,
                                    std::size_t& computed) {
  const Communicator& comm = runner.comm();
  const auto subject_name = kSubjectNames.at(static_cast<std::size_t>(subject.subject));
  const auto units = part_units(subject_name, subject, params, windows, windows_in_memory);
  const auto todo = runner.unfinished(units);
  Progress progress(concat("evaluate ", subject_name, " ", params.name), units.size(),
                    units.size() - todo.size(), comm.rank() == 0);
  Matrix<std::int32_t> ids;
  const ModelSource* model = nullptr;
  if (!todo.empty()) {
    model = &subject.open();
    agree(comm, "reading the windows", [&] {
      ids =
          *runner.store()
               .read(windows.unit,
                     [&] { return read_token_file(windows.unit.file, model->config().vocab_size); })
               .sequences;
    });
  }
  for (const std::size_t i : todo) {
    runner.stop_point();
    const Timer timer;
    const std::size_t first = i * windows_in_memory;
    const std::size_t end = std::min(first + windows_in_memory, ids.rows());
    const auto nll = nll_of_part(comm, *model, ids.view().sub(first, end, 0, ids.cols()),
                                 windows_in_memory, place);
    const std::string note = concat("perplexity of this part ", perplexity(nll));
    agree(comm, "recording", [&] {
      if (comm.rank() == 0) {
        runner.store().record(units[i], {.bytes = 0,
                                         .sha256 = {},
                                         .seconds = timer.seconds(),
                                         .note = note,
                                         .payload = json(nll).dump()});
      }
    });
    progress.finished(units[i].name, note);
  }
  computed += todo.size();
  std::vector<double> all;
  for (const Unit& unit : units) {
    const auto values = json::parse(runner.store().at(unit).payload).get<std::vector<double>>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return {.subject = std::string(subject_name),
          .name = params.name,
          .protocol = windows.protocol,
          .window = params.window,
          .windows = windows.windows,
          .tokens = windows.tokens,
          .add_bos = windows.add_bos,
          .value = perplexity(all)};
}

}  // namespace

std::vector<PerplexityResult> measure_perplexities(StageRunner& runner,
                                                   const PipelineConfig& config,
                                                   const WindowsPlace& kept,
                                                   const ModelSource& original,
                                                   const std::vector<EvaluationSubject>& subjects,
                                                   TorchPlace place, std::size_t& computed) {
  std::vector<PerplexityResult> results;
  for (const PerplexityParams& params : config.evaluate.perplexity) {
    std::string content;
    agree(runner.comm(), concat("evaluate.perplexity ", params.name), [&] {
      check_window(params, original.config());
      content = source_content(params.source, params.path, config.model_path);
    });
    Unit unit = windows_unit(params, config, kept.paths, kept.identity, content);
    unit.records = kept.records;
    const KeptWindows windows = keep_windows(runner, unit, params, config, original, computed);
    for (const EvaluationSubject& subject : subjects) {
      results.push_back(measure_perplexity(runner, subject, params, windows,
                                           config.evaluate.windows_in_memory, place, computed));
    }
  }
  return results;
}

}  // namespace btc
