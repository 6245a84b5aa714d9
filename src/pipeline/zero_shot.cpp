#include "pipeline/zero_shot.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "comm/agree.hpp"
#include "common/error.hpp"
#include "common/hash.hpp"
#include "eval/prepare_requests.hpp"
#include "eval/special_ids.hpp"
#include "eval/task_comparison.hpp"
#include "eval/task_result.hpp"
#include "pipeline/score_tasks.hpp"
#include "tokenizer/tokenizer.hpp"

namespace btc {

namespace fs = std::filesystem;

namespace {

constexpr int kRequestsVersion = 1;

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ",") + name;
  }
  return text;
}

/// BOS, whether it goes in front of a text, and what an empty context becomes. Files beside the
/// tokenizer's own decide about these.
std::string describe(const SpecialIds& ids) {
  return concat(ids.bos.value_or(-1), " ", ids.adds_bos, " ", ids.prefix.value_or(-1));
}

/// Everything that the requests depend on.
Unit requests_unit(const ZeroShotParams& params, const fs::path& model_path,
                   const ModelConfig& model, const RunPaths& paths, const fs::path& records) {
  const std::unique_ptr<Tokenizer> tokenizer = open_tokenizer(model_path);
  std::map<std::string, std::string> parts = {
      {"tasks", joined(params.tasks)},
      {"add_bos", std::string(kAddBosNames.at(static_cast<std::size_t>(params.add_bos)))},
      {"limit", concat(params.limit)},
      {"tokenizer", tokenizer->file_sha256()},
      {"special_ids", describe(read_special_ids(*tokenizer, model_path))},
      {"config", model.source_sha256}};
  for (const Task& task : find_tasks(joined(params.tasks))) {
    parts["file " + std::string(task.name)] = sha256_file(task_file(task, params.data));
  }
  const std::string fingerprint = make_fingerprint("requests", kRequestsVersion, parts);
  const std::string name = fingerprint.substr(0, 8);
  return {"sequences", "requests-" + name, paths.requests(name), fingerprint, records};
}

/// Rank 0 makes the file.
void make_requests(StageRunner& runner, const Unit& unit, const ZeroShotParams& params,
                   const fs::path& model_path) {
  const Communicator& comm = runner.comm();
  agree(comm, "encoding the requests of evaluate.zero_shot", [&] {
    if (comm.rank() != 0) {
      return;
    }
    const Timer timer;
    write_requests(unit.file, prepare_requests({.tasks = find_tasks(joined(params.tasks)),
                                                .data = params.data,
                                                .model = model_path,
                                                .add_bos = params.add_bos,
                                                .max_length = {},
                                                .limit = params.limit}));
    runner.store().record(unit, {.bytes = fs::file_size(unit.file),
                                 .sha256 = sha256_file(unit.file),
                                 .seconds = timer.seconds(),
                                 .note = {},
                                 .payload = "null"});
  });
}

/// A file that the user made. @throws InputError if it is damaged too: no retry mends it
RequestFile read_given(const fs::path& path, const fs::path& model_path, const ModelConfig& model) {
  BTC_REQUIRE(InputError, fs::is_regular_file(path), "no such file: ", path.string());
  try {
    RequestFile file = read_requests(path, model.vocab_size);
    if (!file.tokenizer_sha256.empty()) {
      check_tokenizer(file, open_tokenizer(model_path)->file_sha256(), path.string());
    }
    return file;
  } catch (const FormatError& error) {
    throw InputError(error.what());
  }
}

/// Those asked for, in the order asked for; all of the file if none is named.
std::vector<TaskRequests> select(RequestFile file, const std::vector<std::string>& names,
                                 const fs::path& path) {
  if (names.empty()) {
    return std::move(file.tasks);
  }
  std::vector<TaskRequests> selected;
  for (const Task& task : find_tasks(joined(names))) {
    const auto found = std::ranges::find(file.tasks, task.name, [](const TaskRequests& t) {
      return std::string_view(t.requests.task);
    });
    BTC_REQUIRE(InputError, found != file.tasks.end(), path.string(), ": has no task ", task.name);
    selected.push_back(std::move(*found));
  }
  return selected;
}

std::vector<TaskRequests> limited(std::vector<TaskRequests> tasks, const ModelConfig& model) {
  for (TaskRequests& task : tasks) {
    limit_inputs(task, model.max_position);
  }
  return tasks;
}

/// Of which of the metrics the average of a set is made.
std::optional<Metric> main_metric(const TaskRequests& task) {
  for (const Metric metric : {Metric::kAccNorm, Metric::kAcc}) {
    if (std::ranges::find(task.metrics, metric) != task.metrics.end()) {
      return metric;
    }
  }
  return std::nullopt;
}

void add_subject(std::span<const TaskRequests> tasks, const MeasuredTasks& measured,
                 ZeroShotReport& report) {
  const auto subject = kSubjectNames.at(static_cast<std::size_t>(measured.subject));
  std::vector<TaskScore> scores;
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    scores.push_back(task_result(tasks[t], measured.scores.at(t)));
    scores.back().subject = subject;
  }
  report.scores.insert(report.scores.end(), scores.begin(), scores.end());
  for (const TaskSet& set : task_sets()) {
    if (const auto average = set_average(set, scores)) {
      report.averages.push_back({std::string(subject), std::string(set.name), average->average,
                                 average->average_rounded});
    }
  }
}

void add_differences(std::span<const TaskRequests> tasks, const MeasuredTasks& original,
                     const MeasuredTasks& packed, ZeroShotReport& report) {
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    if (const auto metric = main_metric(tasks[t])) {
      const PairedComparison paired =
          compare_paired(tasks[t], original.scores.at(t), packed.scores.at(t), *metric);
      report.differences.push_back({tasks[t].requests.task, std::string(name_of(*metric)),
                                    paired.both, paired.won, paired.lost, paired.neither,
                                    paired.difference, paired.standard_error});
    }
  }
}

}  // namespace

void check_tasks(const ZeroShotParams& params) {
  if (!params.tasks.empty()) {
    (void)find_tasks(joined(params.tasks));
  }
}

std::vector<TaskRequests> keep_requests(StageRunner& runner, const ZeroShotParams& params,
                                        const fs::path& model_path, const ModelConfig& model,
                                        const RunPaths& paths, const fs::path& records,
                                        std::size_t& computed) {
  const Communicator& comm = runner.comm();
  std::vector<TaskRequests> tasks;
  if (!params.requests.empty()) {
    agree(comm, "evaluate.zero_shot.requests", [&] {
      tasks = select(read_given(params.requests, model_path, model), params.tasks, params.requests);
    });
    return limited(std::move(tasks), model);
  }
  Unit unit;
  agree(comm, "evaluate.zero_shot",
        [&] { unit = requests_unit(params, model_path, model, paths, records); });
  if (!runner.unfinished({unit}).empty()) {
    runner.stop_point();
    make_requests(runner, unit, params, model_path);
    ++computed;
  }
  agree(comm, "reading the requests", [&] {
    tasks = select(
        runner.store().read(unit, [&] { return read_requests(unit.file, model.vocab_size); }),
        params.tasks, unit.file);
  });
  return limited(std::move(tasks), model);
}

std::vector<std::vector<RequestScore>> measure_tasks(StageRunner& runner,
                                                     const EvaluationSubject& subject,
                                                     std::span<const TaskRequests> tasks,
                                                     const ModelConfig& model,
                                                     const ZeroShotParams& params, TorchPlace place,
                                                     std::size_t& computed) {
  std::vector<const TokenRequests*> requests;
  for (const TaskRequests& task : tasks) {
    requests.push_back(&task.requests);
  }
  const ScoringParams scoring = {
      .batches = {.batch_tokens = params.batch_tokens, .max_length = model.max_position},
      .tokens_in_memory = params.tokens_in_memory};
  return score_tasks(runner, subject, requests, model, scoring, place, computed);
}

ZeroShotReport report_tasks(std::span<const TaskRequests> tasks,
                            std::span<const MeasuredTasks> measured) {
  ZeroShotReport report;
  for (const MeasuredTasks& model : measured) {
    add_subject(tasks, model, report);
  }
  const auto of = [&](Subject subject) {
    return std::ranges::find(measured, subject, &MeasuredTasks::subject);
  };
  const auto original = of(Subject::kOriginal);
  const auto packed = of(Subject::kPacked);
  if (original != measured.end() && packed != measured.end()) {
    add_differences(tasks, *original, *packed, report);
  }
  return report;
}

}  // namespace btc
