/// The scorer of requests against one sequence at a time, on examples/wiki-llama-7m: tokens per
/// second of the inputs, equal ones counted once. Documents of four choices, with random ids and
/// the lengths of a task with long endings (a context of 30 to 80 ids, endings of 15 to 45).
///
/// `naive` keeps the model in memory too, and passes only scored rows through the head.

#include <benchmark/benchmark.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "common/allocation.hpp"
#include "common/rng.hpp"
#include "eval/score_requests.hpp"
#include "model/block_forward.hpp"
#include "model/checkpoint.hpp"

namespace btc {
namespace {

constexpr std::size_t kDocuments = 64;
constexpr std::size_t kChoices = 4;

TokenRequests random_requests(std::size_t vocab) {
  Rng rng(1);
  TokenRequests requests;
  requests.task = "bench";
  requests.offset = {0};
  const auto append = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      requests.tokens.push_back(static_cast<std::int32_t>(rng.below(vocab)));
    }
  };
  for (std::size_t d = 0; d < kDocuments; ++d) {
    const std::size_t context = 30 + rng.below(51);
    const std::size_t start = requests.tokens.size();
    for (std::size_t c = 0; c < kChoices; ++c) {
      if (c == 0) {
        append(context);
      } else {
        for (std::size_t i = 0; i < context; ++i) {
          requests.tokens.push_back(requests.tokens[start + i]);
        }
      }
      append(15 + rng.below(31));
      requests.offset.push_back(static_cast<std::int64_t>(requests.tokens.size()));
      requests.ctx_len.push_back(static_cast<std::int32_t>(context));
    }
  }
  return requests;
}

struct Problem {
  std::unique_ptr<Checkpoint> model = Checkpoint::open(BTC_EXAMPLE_MODEL);
  TokenRequests requests = random_requests(model->config().vocab_size);
  std::vector<double> expected;  ///< of the naive loop
};

Problem& problem() {
  static Problem only;
  return only;
}

std::vector<double> score_one_by_one(const Problem& p, const std::vector<BlockForward>& blocks,
                                     const HeadForward& head) {
  std::vector<double> scores;
  const std::span<const std::int32_t> tokens = p.requests.tokens;
  for (std::size_t r = 0; r < p.requests.requests(); ++r) {
    const auto begin = static_cast<std::size_t>(p.requests.offset[r]);
    const auto length = static_cast<std::size_t>(p.requests.offset[r + 1]) - begin;
    const auto context = static_cast<std::size_t>(p.requests.ctx_len[r]);
    Matrix<float> hidden = p.model->embed(tokens.subspan(begin, length - 1));
    for (const BlockForward& block : blocks) {
      hidden = block.run(hidden.view());
    }
    double sum = 0;
    for (const double loss : head.nll(hidden.view().sub(context - 1, length - 1, 0, hidden.cols()),
                                      tokens.subspan(begin + context, length - context))) {
      sum -= loss;
    }
    scores.push_back(sum);
  }
  return scores;
}

void report(benchmark::State& state, const ScorePlan& plan) {
  const auto iterations = static_cast<double>(state.iterations());
  state.counters["tokens/s"] = benchmark::Counter(
      static_cast<double>(plan.input_tokens) * iterations, benchmark::Counter::kIsRate);
  state.counters["shared"] =
      static_cast<double>(plan.input_tokens) / static_cast<double>(plan.run_tokens);
}

void naive(benchmark::State& state) {
  Problem& p = problem();
  std::vector<BlockForward> blocks;
  for (int b = 0; b < p.model->config().blocks; ++b) {
    blocks.emplace_back(p.model->config(), p.model->load_block(b));
  }
  const HeadForward head(*p.model);
  for (auto _ : state) {
    p.expected = score_one_by_one(p, blocks, head);
  }
  report(state, plan_scores(p.requests, {}, p.model->config().vocab_size));
}

void scorer(benchmark::State& state) {
  const Problem& p = problem();
  const ScoreParams params = {.batch_tokens = static_cast<std::size_t>(state.range(0))};
  const ScorePlan plan = plan_scores(p.requests, params, p.model->config().vocab_size);
  Scorer model(*p.model, {}, std::numeric_limits<std::uint64_t>::max());
  (void)model.run(std::span(plan.batches).first(1));  // reads the blocks
  std::vector<ScoredRequest> scores;
  for (auto _ : state) {
    scores = model.run(plan.batches);
  }
  for (const ScoredRequest& scored : scores) {
    if (!(std::abs(scored.score.log_likelihood - p.expected[scored.request]) < 1e-3)) {
      state.SkipWithError("a score differs from that of the sequence by itself");
    }
  }
  report(state, plan);
}

BENCHMARK(naive)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(scorer)
    ->Arg(1024)
    ->Arg(4096)
    ->Arg(16384)
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

}  // namespace
}  // namespace btc

int main(int argc, char** argv) {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  sched_getaffinity(0, sizeof usable, &usable);
  const int threads = std::max(1, CPU_COUNT(&usable));
  btc::keep_freed_memory();
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("threads", std::to_string(threads));
  btc::configure_torch(threads);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
