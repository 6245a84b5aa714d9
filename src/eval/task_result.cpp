#include "eval/task_result.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <numbers>
#include <numeric>

#include "common/error.hpp"

namespace btc {

namespace {

/// The log-likelihood of a document: the sum over its requests in order.
std::vector<double> document_sums(const TokenRequests& requests,
                                  std::span<const RequestScore> scores) {
  std::vector<double> sums;
  for (std::size_t d = 0; d < requests.documents(); ++d) {
    double sum = 0;
    for (auto r = requests.doc_start[d]; r < requests.doc_start[d + 1]; ++r) {
      sum += scores[static_cast<std::size_t>(r)].log_likelihood;
    }
    sums.push_back(sum);
  }
  return sums;
}

double sum_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

/// What the metric compares: the log-likelihood, or it per code point or byte of the choice. A
/// choice without any never wins.
double weighed(const TokenRequests& requests, std::span<const RequestScore> scores, std::size_t r,
               Metric metric) {
  const double value = scores[r].log_likelihood;
  if (metric == Metric::kAcc) {
    return value;
  }
  const std::int32_t length =
      metric == Metric::kAccNorm ? requests.char_len[r] : requests.byte_len[r];
  return length > 0 ? value / length : -std::numeric_limits<double>::infinity();
}

bool is_accuracy(Metric metric) {
  return metric == Metric::kAcc || metric == Metric::kAccNorm || metric == Metric::kAccBytes;
}

void add_metric(TaskScore& result, Metric metric, double value,
                std::optional<double> error = std::nullopt) {
  result.metrics.emplace_back(concat(name_of(metric), ",none"), value);
  if (error) {
    result.metrics.emplace_back(concat(name_of(metric), "_stderr,none"), *error);
  }
}

void add_accuracy(TaskScore& result, const TaskRequests& task, std::span<const RequestScore> scores,
                  Metric metric) {
  const std::vector<std::uint8_t> right = right_documents(task, scores, metric);
  const std::vector<double> values(right.begin(), right.end());
  add_metric(result, metric, sum_of(values) / static_cast<double>(values.size()),
             standard_error(values));
}

/// The error is that of the mean, carried through the exponential.
void add_perplexity(TaskScore& result, std::span<const double> sums) {
  const double value = std::exp(-sum_of(sums) / static_cast<double>(sums.size()));
  std::optional<double> error = standard_error(sums);
  if (error) {
    *error *= value;
  }
  add_metric(result, Metric::kPerplexity, value, error);
}

void add_rolling(TaskScore& result, const TaskRequests& task, std::span<const double> sums,
                 Metric metric) {
  const auto& counts = metric == Metric::kWordPerplexity ? task.doc_words : task.doc_bytes;
  const auto count = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  const double nats = -sum_of(sums) / static_cast<double>(count);
  add_metric(result, metric,
             metric == Metric::kBitsPerByte ? nats / std::numbers::ln2 : std::exp(nats));
}

/// Fraction of documents that the best constant answer gets right.
double best_constant(const TokenRequests& requests) {
  std::vector<std::size_t> counts;
  for (const std::int32_t gold : requests.gold) {
    const auto index = static_cast<std::size_t>(gold);
    counts.resize(std::max(counts.size(), index + 1));
    ++counts[index];
  }
  return static_cast<double>(*std::max_element(counts.begin(), counts.end())) /
         static_cast<double>(requests.documents());
}

void add_floor(TaskScore& result, const TokenRequests& requests) {
  result.floor = best_constant(requests);
  const std::optional<double> accuracy = main_accuracy(result);
  const bool normalized = result.value("acc_norm").has_value();
  const double error = result.value(normalized ? "acc_norm_stderr" : "acc_stderr").value_or(0);
  result.at_floor = accuracy && *accuracy <= *result.floor + error;
}

/// To four decimals, decided by the exact value as Python's `round` does.
double rounded(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4f", value);
  return std::strtod(text.data(), nullptr);
}

}  // namespace

std::optional<double> main_accuracy(const TaskScore& result) {
  const std::optional<double> normalized = result.value("acc_norm");
  return normalized ? normalized : result.value("acc");
}

std::vector<std::uint8_t> right_documents(const TaskRequests& task,
                                          std::span<const RequestScore> scores, Metric metric) {
  const TokenRequests& requests = task.requests;
  BTC_CHECK(scores.size() == requests.requests(), scores.size(), " scores of ", requests.requests(),
            " requests");
  BTC_CHECK(is_accuracy(metric) && task.kind != TaskKind::kRolling, name_of(metric),
            " is no accuracy of ", requests.task);
  std::vector<std::uint8_t> right;
  for (std::size_t d = 0; d < requests.documents(); ++d) {
    const auto begin = static_cast<std::size_t>(requests.doc_start[d]);
    const auto end = static_cast<std::size_t>(requests.doc_start[d + 1]);
    if (task.kind == TaskKind::kLikelihood) {
      right.push_back(scores[begin].greedy ? 1 : 0);
      continue;
    }
    std::size_t best = begin;
    for (std::size_t r = begin + 1; r < end; ++r) {
      if (weighed(requests, scores, r, metric) > weighed(requests, scores, best, metric)) {
        best = r;
      }
    }
    right.push_back(std::cmp_equal(best - begin, requests.gold[d]) ? 1 : 0);
  }
  return right;
}

TaskScore task_result(const TaskRequests& task, std::span<const RequestScore> scores) {
  const TokenRequests& requests = task.requests;
  BTC_CHECK(scores.size() == requests.requests() && requests.documents() > 0, scores.size(),
            " scores of ", requests.requests(), " requests");
  for (std::size_t r = 0; r < scores.size(); ++r) {
    BTC_REQUIRE(NumericError, !std::isnan(scores[r].log_likelihood), requests.task, ": request ", r,
                ": the log-likelihood is not a number");
  }
  TaskScore result{.task = requests.task,
                   .version = task.version,
                   .documents = requests.documents(),
                   .requests = requests.requests(),
                   .add_bos = task.add_bos,
                   .limit = static_cast<std::uint64_t>(task.limit),
                   .max_length = task.max_length,
                   .notes = remarks_on(task)};
  const auto contexts =
      std::accumulate(requests.ctx_len.begin(), requests.ctx_len.end(), std::size_t{0});
  result.scored_tokens = requests.tokens.size() - contexts;
  const std::vector<double> sums = document_sums(requests, scores);
  for (const Metric metric : task.metrics) {
    if (is_accuracy(metric)) {
      add_accuracy(result, task, scores, metric);
    } else if (metric == Metric::kPerplexity) {
      add_perplexity(result, sums);
    } else {
      add_rolling(result, task, sums, metric);
    }
  }
  if (task.kind == TaskKind::kChoices) {
    add_floor(result, requests);
  }
  return result;
}

std::optional<double> standard_error(std::span<const double> values) {
  if (values.size() < 2) {
    return std::nullopt;
  }
  const auto n = static_cast<double>(values.size());
  const double mean = sum_of(values) / n;
  double squares = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  return std::sqrt(squares / (n - 1)) / std::sqrt(n);
}

std::optional<SetAverage> set_average(const TaskSet& set, std::span<const TaskScore> results) {
  SetAverage sums;
  for (const std::string_view name : set.tasks) {
    const auto found = std::find_if(results.begin(), results.end(),
                                    [&](const TaskScore& result) { return result.task == name; });
    const std::optional<double> accuracy =
        found == results.end() ? std::nullopt : main_accuracy(*found);
    if (!accuracy) {
      return std::nullopt;
    }
    sums.average += *accuracy;
    sums.average_rounded += rounded(*accuracy);
  }
  const auto n = static_cast<double>(set.tasks.size());
  return SetAverage{sums.average / n, rounded(sums.average_rounded / n)};
}

}  // namespace btc
