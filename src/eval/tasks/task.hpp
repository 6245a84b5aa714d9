#pragma once
/// What a task is: where its rows are, how a row becomes requests, and what is measured.
/// Prompts, choices and names of metrics are those of EleutherAI's lm-evaluation-harness 0.4.

#include <string_view>
#include <vector>

#include "eval/document.hpp"
#include "eval/jsonl.hpp"

namespace btc {

/// How a document is scored.
enum class TaskKind {
  kChoices,     ///< one request per choice, the likeliest one wins
  kLikelihood,  ///< one request per document, right if it is what greedy decoding gives
  kRolling,     ///< one text per document, cut into windows
};
std::string_view name_of(TaskKind kind);
/// @throws FormatError for another name, beginning with `origin`
TaskKind task_kind(std::string_view name, std::string_view origin);

enum class Metric {
  kAcc,             ///< fraction of documents that are right
  kAccNorm,         ///< by log-likelihood per code point of the choice
  kAccBytes,        ///< by log-likelihood per byte of the choice
  kPerplexity,      ///< exp(-mean log-likelihood) of the continuations
  kWordPerplexity,  ///< exp(-sum of log-likelihoods / words)
  kBytePerplexity,  ///< likewise for bytes
  kBitsPerByte,     ///< log2 of the byte perplexity
};
/// The harness's name: `acc_norm`.
std::string_view name_of(Metric metric);
/// @throws FormatError for another name, beginning with `origin`
Metric metric(std::string_view name, std::string_view origin);
/// Whether documents of this kind have the metric.
bool applies(Metric metric, TaskKind kind);

struct Task {
  std::string_view name{};
  std::string_view file{};   ///< name of its data without extension; that of the task does as well
  std::string_view split{};  ///< of the data set
  int version = 1;           ///< of the harness's task that the prompts are equal to
  TaskKind kind = TaskKind::kChoices;
  std::vector<Metric> metrics{};
  /// @throws InputError that names file, line, field and what was expected
  Document (*from_row)(const JsonRow& row) = nullptr;
  /// The documents of a file `FILE.raw` that has no rows; null where there is no such form.
  std::vector<Document> (*from_raw)(std::string_view text) = nullptr;
};

Task winogrande_task();
Task openbookqa_task();
Task hellaswag_task();
Task boolq_task();
Task arc_easy_task();
Task arc_challenge_task();
Task rte_task();
Task piqa_task();
Task lambada_task();
Task wikitext_task();

/// The metrics of a multiple-choice task whose choices are texts of different lengths.
inline std::vector<Metric> length_normalized_metrics() {
  return {Metric::kAcc, Metric::kAccNorm, Metric::kAccBytes};
}
/// A document whose choices follow one context.
Document choices_document(std::string_view context, const std::vector<std::string>& choices,
                          std::int32_t gold);
/// Position of `answerKey` in `choices.label` of a row that has `choices.text`: labels may be
/// letters or numbers. Fills `choices`.
std::int32_t keyed_choices(const JsonRow& row, std::vector<std::string>& choices);

}  // namespace btc
