#include "eval/score_requests.hpp"

#include <cmath>
#include <limits>
#include <utility>

#include "common/error.hpp"
#include "common/matrix.hpp"

namespace btc {

namespace {

std::uint64_t block_bytes(const ModelConfig& config) {
  return linear_weight_count(config) / static_cast<std::uint64_t>(config.blocks) * sizeof(float);
}

/// In the order of the continuation, fp64.
RequestScore sum_up(std::span<const TargetScore> targets) {
  RequestScore score = {0.0, true};
  for (const TargetScore& target : targets) {
    score.log_likelihood += target.log_probability;
    score.greedy = score.greedy && target.greedy;
  }
  return score;
}

}  // namespace

Scorer::Scorer(const ModelSource& model, TorchPlace place, std::uint64_t resident_bytes)
    : model_(model),
      place_(place),
      head_(model, place),
      free_bytes_(resident_bytes),
      blocks_(static_cast<std::size_t>(model.config().blocks)) {}

const BlockForward& Scorer::block(int index) {
  std::optional<BlockForward>& kept = blocks_[static_cast<std::size_t>(index)];
  if (kept) {
    return *kept;
  }
  const std::uint64_t bytes = block_bytes(model_.config());
  const bool fits = bytes <= free_bytes_;
  free_bytes_ -= fits ? bytes : 0;
  std::optional<BlockForward>& room = fits ? kept : passing_;
  room.reset();  // first: two blocks may not fit
  return room.emplace(model_.config(), model_.load_block(index), place_);
}

std::vector<ScoredRequest> Scorer::run(std::span<const ScoreBatch> batches) {
  std::vector<Matrix<float>> hidden;
  hidden.reserve(batches.size());
  for (const ScoreBatch& batch : batches) {
    hidden.push_back(model_.embed(batch.forest.ids));
  }
  const int last = model_.config().blocks - 1;
  for (int b = 0; b <= last; ++b) {
    const BlockForward& forward = block(b);
    for (std::size_t i = 0; i < batches.size(); ++i) {
      const TokenForest& forest = batches[i].forest;
      hidden[i] = b < last ? forward.run(hidden[i].view(), forest)
                           : forward.run(hidden[i].view(), forest, batches[i].rows);
    }
  }
  std::vector<ScoredRequest> scores;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const auto targets = head_.score(hidden[i].view(), batches[i].targets);
    for (const RequestTargets& of : batches[i].requests) {
      const RequestScore sum = sum_up(std::span(targets).subspan(of.first, of.end - of.first));
      BTC_REQUIRE(NumericError, std::isfinite(sum.log_likelihood), "request ", of.request,
                  ": log-likelihood ", sum.log_likelihood, ", expected a finite number");
      scores.push_back({of.request, sum});
    }
    hidden[i] = {};
  }
  return scores;
}

std::vector<RequestScore> score_requests(const ModelSource& model, const TokenRequests& requests,
                                         const ScoreParams& params, TorchPlace place) {
  const ScorePlan plan = plan_scores(requests, params, model.config().vocab_size);
  Scorer scorer(model, place, std::numeric_limits<std::uint64_t>::max());
  std::vector<RequestScore> scores(requests.requests());
  for (const ScoreBatch& batch : plan.batches) {
    for (const ScoredRequest& scored : scorer.run({&batch, 1})) {
      scores[scored.request] = scored.score;
    }
  }
  return scores;
}

}  // namespace btc
