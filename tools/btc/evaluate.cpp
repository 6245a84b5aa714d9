#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "choices.hpp"
#include "comm/agree.hpp"
#include "comm/communicator.hpp"
#include "commands.hpp"
#include "common/error.hpp"
#include "common/exit_code.hpp"
#include "common/log.hpp"
#include "config/pipeline_config.hpp"
#include "io/atomic_file.hpp"
#include "model/block_forward.hpp"
#include "model/math_mode.hpp"
#include "pipeline/evaluate_directory.hpp"
#include "pipeline/stage_runner.hpp"

namespace btc {

namespace {

struct EvaluateOptions {
  DirectoryEvaluation what;
  ZeroShotParams tasks;
  std::vector<std::string> texts;
  PerplexityParams text;  ///< settings of all texts
  std::string samples;
  std::string json;
  bool cuda = false;
};

/// The options as what to measure. @throws ConfigError
DirectoryEvaluation requested(const EvaluateOptions& options) {
  DirectoryEvaluation what = options.what;
  for (const std::string& path : options.texts) {
    PerplexityParams params = options.text;
    params.path = path;
    params.name = params.path.stem().string();
    params.source = params.path.extension() == ".h5" ? TokenSource::kIds : TokenSource::kText;
    what.perplexity.push_back(params);
  }
  const bool own = !options.tasks.data.empty();
  const bool tasks = own || !options.tasks.requests.empty();
  BTC_REQUIRE(ConfigError, !own || !options.tasks.tasks.empty(),
              "evaluate: --data needs --tasks, for instance btc7");
  BTC_REQUIRE(ConfigError, tasks || options.tasks.tasks.empty(),
              "evaluate: --tasks needs --data or --requests");
  BTC_REQUIRE(ConfigError, tasks || !what.perplexity.empty(),
              "evaluate: nothing to measure: expected --tasks with --data, --requests or --ppl");
  if (tasks) {
    what.zero_shot = options.tasks;
  }
  return what;
}

int evaluate(const EvaluateOptions& options) {
  const Communicator comm = Communicator::world();
  open_log(comm.rank(), {});
  const int local_rank = comm.local_rank();
  DirectoryEvaluation what;
  TorchPlace place;
  agree(comm, "evaluate", [&] {
    what = requested(options);
    configure_torch(what.threads);
    if (options.cuda) {
      place = torch_place_of_rank(local_rank);
      BTC_REQUIRE(BackendUnavailable, place.on_device(),
                  "--cuda: this program was built without BTC_TORCH_CUDA");
    }
  });
  StopRequest stop(what.work.empty() ? what.work : what.work / "STOP", std::nullopt);
  const DirectoryResult result = evaluate_directory(what, comm, place, stop);
  agree(comm, "writing the results", [&] {
    if (comm.rank() != 0) {
      return;
    }
    std::cout << evaluation_table(result.report) << std::flush;
    if (!options.json.empty()) {
      write_text_file(options.json, evaluation_json(result.report));
    }
    if (!options.samples.empty()) {
      write_text_file(options.samples, samples_jsonl(result));
    }
  });
  return kExitDone;
}

int evaluate_under_mpi(const EvaluateOptions& options) {
  install_stop_signals();
  choose_math_mode();
  const MpiEnvironment mpi;
  try {
    return evaluate(options);
  } catch (const Stopped&) {
    return kExitStopped;
  } catch (const StageFailed& error) {  // thrown on every rank: all leave together
    if (Communicator::world().rank() == 0) {
      std::cerr << "btc: " << error.what() << "\n";
    }
    return error.user_error() ? kExitUserError : kExitFailed;
  } catch (const std::exception& error) {
    std::cerr << "btc: " << error.what() << "\n";
    MpiEnvironment::abort(kExitFailed);
  }
}

void add_task_options(CLI::App& command, EvaluateOptions& options) {
  command
      .add_option("--tasks", options.tasks.tasks,
                  "names of zero-shot tasks and sets (btc7, arb7), with commas between them")
      ->delimiter(',');
  CLI::Option* data =
      command.add_option("--data", options.tasks.data, "folder with the tasks' files (JSONL)");
  command
      .add_option("--requests", options.tasks.requests,
                  "file of `btc prepare --tasks`, in place of --data")
      ->excludes(data);
  command
      .add_option("--add-bos", options.tasks.add_bos,
                  "with --data: BOS in front of every request: auto (as the tokenizer does), true, "
                  "false (as in the papers)")
      ->transform(one_of(kAddBosNames))
      ->needs(data);
  command.add_option("--limit", options.tasks.limit, "with --data: documents of each task")
      ->check(at_least(0))
      ->needs(data);
  command.add_option("--batch-tokens", options.tasks.batch_tokens, "tokens of one forward call")
      ->check(at_least(1));
  command
      .add_option("--tokens-in-memory", options.tasks.tokens_in_memory,
                  "tokens of one part: hidden states kept while blocks stream by")
      ->check(at_least(1));
  command.add_option("--samples", options.samples,
                     "write the log-likelihood of every request (JSONL: task, doc, choice, loglik, "
                     "greedy)");
}

void add_text_options(CLI::App& command, EvaluateOptions& options) {
  command.add_option("--ppl", options.texts,
                     "text or token file (.h5) for a perplexity (repeatable)");
  command
      .add_option("--join", options.text.join,
                  "how the texts' lines become one text: auto, wikitext, verbatim, c4 (JSONL rows, "
                  "joined by a space)")
      ->transform(one_of(kTextJoinNames));
  command.add_option("--window", options.text.window, "tokens of a window (default 2048)")
      ->check(CLI::Range(2, 1 << 24));
  command.add_option("--windows", options.text.windows, "windows of each text (default all)")
      ->check(at_least(1));
}

}  // namespace

void add_evaluate(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "evaluate", "zero-shot tasks and perplexity of a model directory (also under mpirun)");
  const auto options = std::make_shared<EvaluateOptions>();
  command->add_option("--model", options->what.model, "original or packed model directory")
      ->required();
  const std::map<std::string, std::optional<Subject>> kinds = {
      {"auto", std::nullopt}, {"original", Subject::kOriginal}, {"packed", Subject::kPacked}};
  command
      ->add_option_function<std::string>(
          "--model-kind",
          [options, kinds](const std::string& name) { options->what.kind = kinds.at(name); },
          "auto (packed if it was packed here), original or packed")
      ->check(CLI::IsMember({"auto", "original", "packed"}));
  add_task_options(*command, *options);
  add_text_options(*command, *options);
  command->add_option("--work", options->what.work,
                      "folder that keeps finished parts: the same command goes on from there");
  command->add_option("--json", options->json, "write the results, under the keys of lm-eval too");
  command->add_option("--threads", options->what.threads, "per rank (default 1)")
      ->check(CLI::Range(1, 1024));
  command->add_flag("--cuda", options->cuda, "blocks run on a CUDA device");
  command->callback([options] { throw CLI::RuntimeError(evaluate_under_mpi(*options)); });
}

}  // namespace btc
