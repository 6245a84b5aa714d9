#include <iostream>
#include <memory>

#include "calibration/tokens.hpp"
#include "choices.hpp"
#include "commands.hpp"
#include "common/error.hpp"
#include "eval/prepare_requests.hpp"
#include "tokenizer/tokenizer.hpp"

namespace btc {

namespace {
struct PrepareOptions {
  std::string model;
  std::string text;
  std::string tasks;
  std::string data;
  std::string out;
  TextJoin join = TextJoin::kAuto;
  AddBos add_bos = AddBos::kAuto;
  std::size_t max_length = 0;  ///< 0: the model's
  std::size_t limit = 0;
};

void prepare_text(const PrepareOptions& options) {
  const std::unique_ptr<Tokenizer> tokenizer = open_tokenizer(options.model);
  const TokenizedText text = tokenize_file(*tokenizer, options.text, options.join);
  write_token_file(options.out, text);
  std::cout << options.out << ": " << text.ids.size() << " ids (" << text.join
            << " text, BOS at the start: " << (text.add_bos ? "yes" : "no") << ", vocabulary "
            << text.vocab_size << ")\n";
}

void print_task(const TaskRequests& task) {
  const TokenRequests& requests = task.requests;
  std::cout << "  " << requests.task << ": " << requests.documents() << " documents, "
            << requests.requests() << (task.kind == TaskKind::kRolling ? " windows" : " requests")
            << ", " << requests.tokens.size() << " ids, BOS " << (task.add_bos ? "yes" : "no")
            << ", texts " << task.request_sha256.substr(0, 16) << "\n";
  for (const std::string& remark : remarks_on(task)) {
    std::cout << "    " << remark << "\n";
  }
}

void prepare_tasks(const PrepareOptions& options) {
  PrepareRequests request{.tasks = find_tasks(options.tasks),
                          .data = options.data,
                          .model = options.model,
                          .add_bos = options.add_bos,
                          .limit = options.limit};
  if (options.max_length > 0) {
    request.max_length = options.max_length;
  }
  const RequestFile file = prepare_requests(request);
  write_requests(options.out, file);
  std::cout << options.out << ": " << file.tasks.size() << " tasks, inputs of up to "
            << file.max_length << " ids, vocabulary " << file.vocab_size << "\n";
  for (const TaskRequests& task : file.tasks) {
    print_task(task);
  }
}

void prepare(const PrepareOptions& options) {
  BTC_REQUIRE(ConfigError, options.text.empty() != options.tasks.empty(),
              "prepare: expected either --text or --tasks with --data");
  BTC_REQUIRE(ConfigError, options.tasks.empty() == options.data.empty(),
              "prepare: --tasks and --data belong together");
  if (options.tasks.empty()) {
    prepare_text(options);
  } else {
    prepare_tasks(options);
  }
}

void add_task_options(CLI::App& command, PrepareOptions& options) {
  command.add_option("--tasks", options.tasks,
                     "zero-shot tasks, names or sets (btc7, arb7) with commas between them");
  command.add_option("--data", options.data, "folder with the tasks' files (JSONL)");
  command
      .add_option("--add-bos", options.add_bos,
                  "BOS in front of every request of the tasks: auto (as the tokenizer does), true, "
                  "false (as in the papers)")
      ->transform(one_of(kAddBosNames));
  command
      .add_option("--max-length", options.max_length,
                  "longest input of a task in ids (default: the model's positions)")
      ->check(at_least(0));
  command.add_option("--limit", options.limit, "documents of each task (default: all)")
      ->check(at_least(0));
}
}  // namespace

void add_prepare(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "prepare", "tokenize a text or zero-shot tasks once, into an HDF5 token file");
  const auto options = std::make_shared<PrepareOptions>();
  command->add_option("--model", options->model, "directory with the tokenizer")->required();
  command->add_option("--text", options->text, "text file (UTF-8)");
  command->add_option("--out", options->out, "token file to write")->required();
  command
      ->add_option(
          "--join", options->join,
          "how lines become one text: auto (wikitext if it looks like a WikiText file), "
          "wikitext (rows joined by blank lines), verbatim, c4 (the texts of JSON rows, joined "
          "by a space)")
      ->transform(one_of(kTextJoinNames));
  add_task_options(*command, *options);
  command->callback([options] { prepare(*options); });
}

}  // namespace btc
