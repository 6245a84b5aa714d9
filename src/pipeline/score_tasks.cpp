#include "pipeline/score_tasks.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "comm/agree.hpp"
#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/log.hpp"
#include "eval/score_requests.hpp"

namespace btc {

using nlohmann::json;

namespace {

// Raise when scores change for equal parts of the fingerprint.
constexpr int kScoreVersion = 1;

/// Batches [first, end) of a task.
struct Part {
  std::size_t task = 0;
  std::size_t first = 0;
  std::size_t end = 0;
  double cost = 0;  ///< in any unit
  Unit unit;
};

/// Linears see each token once, attention all pairs of a tree.
double cost_of(std::span<const ScoreBatch> batches) {
  constexpr double kPairs = 512;  // that cost as much as one token in the Linears
  double cost = 0;
  for (const ScoreBatch& batch : batches) {
    const std::vector<std::size_t>& start = batch.forest.tree_start;
    for (std::size_t t = 0; t < batch.forest.trees(); ++t) {
      const auto tokens = static_cast<double>(start[t + 1] - start[t]);
      cost += tokens * (kPairs + tokens);
    }
  }
  return cost;
}

/// The units of one task, of about `tokens_in_memory` tokens each.
std::vector<Part> parts_of_task(std::size_t task, const TokenRequests& requests,
                                const ScorePlan& plan, const EvaluationSubject& subject,
                                const ScoringParams& params) {
  const auto name = kSubjectNames.at(static_cast<std::size_t>(subject.subject));
  const std::string content = content_sha256(requests);
  const auto starts = part_batches(plan.batches, params.tokens_in_memory);
  std::vector<Part> parts;
  for (std::size_t p = 0; p + 1 < starts.size(); ++p) {
    const std::span batches = std::span(plan.batches).subspan(starts[p], starts[p + 1] - starts[p]);
    parts.push_back({task,
                     starts[p],
                     starts[p + 1],
                     cost_of(batches),
                     {"evaluate",
                      concat(name, "-", requests.task, "-", p),
                      {},
                      make_fingerprint("scores", kScoreVersion,
                                       {{"model", subject.fingerprint},
                                        {"requests", content},
                                        {"batch_tokens", concat(params.batches.batch_tokens)},
                                        {"max_length", concat(params.batches.max_length)},
                                        {"part", concat(starts[p], "-", starts[p + 1])}}),
                      subject.records}});
  }
  return parts;
}

UnitResult describe(const std::vector<ScoredRequest>& scores) {
  json payload = json::array();
  for (const ScoredRequest& scored : scores) {
    payload.push_back({scored.request, scored.score.log_likelihood, scored.score.greedy});
  }
  return {.bytes = 0,
          .sha256 = {},
          .seconds = 0,
          .note = concat(scores.size(), " requests"),
          .payload = payload.dump()};
}

/// For the log: how much work the requests are.
std::string describe_plans(const std::vector<ScorePlan>& plans) {
  ScorePlan sum;
  for (const ScorePlan& plan : plans) {
    sum.forwards += plan.forwards;
    sum.input_tokens += plan.input_tokens;
    sum.run_tokens += plan.run_tokens;
  }
  return concat(sum.forwards, " inputs of ", sum.input_tokens, " tokens; ", sum.run_tokens,
                " run, the others are shared");
}

/// Puts what a finished unit recorded in its place.
void read_scores(const std::string& payload, const Unit& unit, std::vector<RequestScore>& scores) {
  for (const json& entry : json::parse(payload)) {
    const auto request = entry.at(0).get<std::size_t>();
    BTC_REQUIRE(FormatError, request < scores.size(), "the record of ", unit.name,
                " has a score of request ", request, ", expected fewer than ", scores.size());
    scores[request] = {entry.at(1).get<double>(), entry.at(2).get<bool>()};
  }
}

}  // namespace

std::string content_sha256(const TokenRequests& requests) {
  Sha256 sha;
  sha.update(std::as_bytes(std::span(requests.tokens)));
  sha.update(std::as_bytes(std::span(requests.offset)));
  sha.update(std::as_bytes(std::span(requests.ctx_len)));
  return sha.finish();
}

std::uint64_t resident_budget(const Communicator& comm, const TorchPlace& place) {
  std::vector<std::string> hosts = comm.host_names();
  const std::string& own = hosts.at(static_cast<std::size_t>(comm.rank()));
  const auto on_host = static_cast<std::uint64_t>(std::ranges::count(hosts, own));
  const auto devices = static_cast<std::uint64_t>(std::max(1, torch_device_count()));
  const std::uint64_t sharing = place.on_device() ? ceil_div(on_host, devices) : on_host;
  return free_memory(place) / 2 / sharing;
}

std::vector<std::vector<RequestScore>> score_tasks(StageRunner& runner,
                                                   const EvaluationSubject& subject,
                                                   const std::vector<const TokenRequests*>& tasks,
                                                   const ModelConfig& model,
                                                   const ScoringParams& params, TorchPlace place,
                                                   std::size_t& computed) {
  const Communicator& comm = runner.comm();
  std::vector<ScorePlan> plans;
  std::vector<Part> parts;
  std::vector<std::vector<RequestScore>> scores;
  agree(comm, "planning the requests", [&] {
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      plans.push_back(plan_scores(*tasks[t], params.batches, model.vocab_size));
      scores.emplace_back(tasks[t]->requests());
      for (Part& part : parts_of_task(t, *tasks[t], plans.back(), subject, params)) {
        parts.push_back(std::move(part));
      }
    }
  });
  std::ranges::stable_sort(parts, std::greater<>(), &Part::cost);
  std::vector<Unit> units;
  units.reserve(parts.size());
  for (const Part& part : parts) {
    units.push_back(part.unit);
  }
  if (!runner.unfinished(units).empty()) {
    log_info(describe_plans(plans));
    const ModelSource& source = subject.open();
    const std::uint64_t budget = resident_budget(comm, place);
    std::optional<Scorer> scorer;  // made by a rank that gets work
    computed += runner.run(units, [&](std::size_t u) {
      if (!scorer) {
        scorer.emplace(source, place, budget);
      }
      const Part& part = parts[u];
      return describe(scorer->run(
          std::span(plans[part.task].batches).subspan(part.first, part.end - part.first)));
    });
  }
  agree(comm, "reading the scores", [&] {
    for (const Part& part : parts) {
      read_scores(runner.store().at(part.unit).payload, part.unit, scores[part.task]);
    }
  });
  return scores;
}

}  // namespace btc
