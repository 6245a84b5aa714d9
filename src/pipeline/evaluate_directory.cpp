#include "pipeline/evaluate_directory.hpp"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "comm/agree.hpp"
#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/timer.hpp"
#include "common/version.hpp"
#include "model/checkpoint.hpp"
#include "pack/manifest.hpp"
#include "pack/packed_directory.hpp"
#include "pack/packed_model.hpp"
#include "pipeline/evaluate.hpp"
#include "pipeline/fingerprints.hpp"
#include "pipeline/run_lock.hpp"
#include "pipeline/run_paths.hpp"
#include "pipeline/source_identity.hpp"
#include "pipeline/zero_shot.hpp"

namespace btc {

namespace fs = std::filesystem;

namespace {

/// The folder of this evaluation: the given one, or one that lasts as long as this object.
class WorkFolder {
 public:
  /// Collective.
  WorkFolder(const fs::path& given, const Communicator& comm) : path_(given) {
    if (!given.empty()) {
      return;
    }
    const std::vector<std::string> hosts = comm.host_names();
    std::string made;
    agree(comm, "work folder", [&] {
      BTC_REQUIRE(InputError, std::ranges::count(hosts, hosts.front()) == std::ssize(hosts),
                  "ranks run on several machines: name a folder that all of them see (--work)");
      if (comm.rank() == 0) {
        std::string pattern = (fs::temp_directory_path() / "btc-evaluate-XXXXXX").string();
        BTC_REQUIRE(IoError, mkdtemp(pattern.data()) != nullptr, "cannot create ", pattern);
        made = pattern;
        owned_ = true;
      }
    });
    path_ = comm.broadcast(made);
  }
  ~WorkFolder() {
    if (owned_) {
      std::error_code ignored;
      fs::remove_all(path_, ignored);
    }
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  bool owned_ = false;
};

/// The model, and what its results are recorded under.
struct OpenModel {
  std::unique_ptr<ModelSource> source;
  Subject kind = Subject::kOriginal;
  std::string fingerprint;
};

OpenModel open_model(const DirectoryEvaluation& evaluation, const PipelineConfig& config,
                     const RunPaths& paths, const Communicator& comm, TorchPlace place) {
  OpenModel model;
  std::unique_ptr<Checkpoint> checkpoint;
  agree(comm, "opening the model", [&] {
    BTC_REQUIRE(InputError, fs::is_directory(evaluation.model),
                "no such directory: ", evaluation.model.string());
    model.kind = evaluation.kind.value_or(is_packed(evaluation.model) ? Subject::kPacked
                                                                      : Subject::kOriginal);
    if (model.kind == Subject::kPacked) {
      if (comm.rank() == 0) {
        check_files(evaluation.model, read_manifest(evaluation.model));
      }
      model.source = PackedModel::open(evaluation.model);
      model.fingerprint =
          packed_fingerprint(config, sha256_file(evaluation.model / kManifestName), place);
    } else {
      checkpoint = Checkpoint::open(evaluation.model);
    }
  });
  if (checkpoint) {
    const SourceIdentity identity =
        identify_source(*checkpoint, comm, paths.state() / "source.json", /*trust_cache=*/true);
    model.fingerprint = original_fingerprint(config, identity, place);
    model.source = std::move(checkpoint);
  }
  return model;
}

/// The settings of a run that measures the same.
PipelineConfig settings_of(const DirectoryEvaluation& evaluation, const fs::path& work) {
  PipelineConfig config;
  config.run.dir = work;
  config.model_path = evaluation.model;
  config.compute.threads_per_rank = evaluation.threads;
  config.evaluate.perplexity = evaluation.perplexity;
  config.evaluate.zero_shot = evaluation.zero_shot;
  return config;
}

}  // namespace

DirectoryResult evaluate_directory(const DirectoryEvaluation& evaluation, const Communicator& comm,
                                   TorchPlace place, StopRequest& stop) {
  const Timer timer;
  const WorkFolder work(evaluation.work, comm);
  const RunPaths paths = {work.path()};
  const PipelineConfig config = settings_of(evaluation, work.path());
  const UnitStore store(paths.state(), config.resume.verify);
  StageRunner runner(comm, store, stop);
  const std::optional<DirectoryLock> lock = lock_run_directory(runner, paths);
  const OpenModel model = open_model(evaluation, config, paths, comm, place);
  const EvaluationSubject subject = {model.kind, model.fingerprint,
                                     [&]() -> const ModelSource& { return *model.source; }};
  DirectoryResult result;
  EvaluationReport& report = result.report;
  std::size_t computed = 0;
  report.perplexity = measure_perplexities(runner, config, {.paths = paths}, *model.source,
                                           {subject}, place, computed);
  if (config.evaluate.zero_shot) {
    const ZeroShotParams& params = *config.evaluate.zero_shot;
    const ModelConfig& sizes = model.source->config();
    result.tasks = keep_requests(runner, params, evaluation.model, sizes, paths, {}, computed);
    result.scores = measure_tasks(runner, subject, result.tasks, sizes, params, place, computed);
    report.zero_shot =
        report_tasks(result.tasks, std::vector{MeasuredTasks{model.kind, result.scores}});
  }
  report.model = evaluation.model.string();
  report.kind = kSubjectNames.at(static_cast<std::size_t>(model.kind));
  report.fingerprint = model.fingerprint;
  report.git_hash = git_hash();
  report.ranks = comm.size();
  report.threads_per_rank = evaluation.threads;
  report.seconds = timer.seconds();
  return result;
}

std::string samples_jsonl(const DirectoryResult& result) {
  std::string text;
  for (std::size_t t = 0; t < result.tasks.size(); ++t) {
    const TokenRequests& requests = result.tasks[t].requests;
    for (std::size_t d = 0; d < requests.documents(); ++d) {
      for (std::int64_t r = requests.doc_start[d]; r < requests.doc_start[d + 1]; ++r) {
        const RequestScore& score = result.scores[t][static_cast<std::size_t>(r)];
        text += nlohmann::ordered_json{{"task", requests.task},
                                       {"doc", d},
                                       {"choice", r - requests.doc_start[d]},
                                       {"loglik", score.log_likelihood},
                                       {"greedy", score.greedy}}
                    .dump() +
                "\n";
      }
    }
  }
  return text;
}

}  // namespace btc
