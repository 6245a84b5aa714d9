#include "eval/score_plan.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/error.hpp"
#include "common/matrix.hpp"

namespace btc {

namespace {

using Ids = std::span<const std::int32_t>;

/// What one request asks: the input of the model, and how much of it is context.
struct Question {
  std::size_t request = 0;
  Ids input;            ///< all tokens but the last
  Ids continuation;     ///< scored
  std::size_t row = 0;  ///< of the input, whose prediction is the first id of the continuation
};

Question ask(const TokenRequests& requests, std::size_t r, std::size_t max_length,
             std::size_t vocab_size) {
  const auto begin = requests.offset[r];
  const auto length = requests.offset[r + 1] - begin;
  const auto context = static_cast<std::int64_t>(requests.ctx_len[r]);
  BTC_REQUIRE(InputError, context >= 1 && context < length, requests.task, ": request ", r, " has ",
              context, " ids of context of ", length,
              " in all, expected at least one of context and one of continuation");
  Ids ids = Ids(requests.tokens)
                .subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(length));
  const auto bad = std::ranges::find_if(
      ids, [&](std::int32_t id) { return id < 0 || std::cmp_greater_equal(id, vocab_size); });
  BTC_REQUIRE(InputError, bad == ids.end(), requests.task, ": request ", r, ": id ", *bad,
              ", expected 0 to ", vocab_size - 1,
              ": were the requests made for another tokenizer?");
  const Ids continuation = ids.subspan(static_cast<std::size_t>(context));
  BTC_REQUIRE(InputError, continuation.size() <= max_length, requests.task, ": request ", r,
              " has a continuation of ", continuation.size(), " ids, expected at most ",
              max_length);
  ids = ids.last(std::min(ids.size(), max_length + 1));
  return {r, ids.first(ids.size() - 1), continuation, ids.size() - 1 - continuation.size()};
}

/// Lexicographic by the input, then as in the task.
bool before(const Question& a, const Question& b) {
  const auto [x, y] = std::ranges::mismatch(a.input, b.input);
  if (x != a.input.end() && y != b.input.end()) {
    return *x < *y;
  }
  return std::pair(a.input.size(), a.request) < std::pair(b.input.size(), b.request);
}

std::size_t common_length(Ids a, Ids b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

/// Consecutive questions [first, end) that share a tree of `tokens` tokens.
struct Tree {
  std::size_t first = 0;
  std::size_t end = 0;
  std::size_t tokens = 0;
};

/// Whether a sequence with `shared` ids in common with the one before joins its tree. It saves the
/// Linears of the shared ids; but attention looks at all pairs of tokens of a tree, those of
/// different branches for nothing. One Linear pass of a token costs about as much as attention to
/// kPairs others, in a model with a hidden size of some hundred; more in larger ones.
bool is_worth_sharing(std::size_t shared, std::size_t added, std::size_t tree_tokens) {
  constexpr std::size_t kPairs = 512;
  return shared * kPairs > added * tree_tokens;
}

/// @param questions in the order of their inputs
std::vector<Tree> find_trees(const std::vector<Question>& questions) {
  std::vector<Tree> trees;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const Ids input = questions[i].input;
    const std::size_t shared = i == 0 ? 0 : common_length(questions[i - 1].input, input);
    const std::size_t added = input.size() - shared;
    if (i == 0 || !is_worth_sharing(shared, added, trees.back().tokens)) {
      trees.push_back({i, i, input.size()});
    } else {
      trees.back().tokens += added;
    }
    trees.back().end = i + 1;
  }
  return trees;
}

/// Grows one batch, tree by tree.
class BatchBuilder {
 public:
  [[nodiscard]] std::size_t tokens() const { return batch_.forest.tokens(); }

  void add(std::span<const Question> questions) {
    std::vector<std::int32_t> path;  // tokens of the sequence before
    Ids last;
    for (const Question& question : questions) {
      path.resize(common_length(last, question.input));
      for (const std::int32_t id : question.input.subspan(path.size())) {
        path.push_back(batch_.forest.add(id, path.empty() ? TokenForest::kRoot : path.back()));
      }
      last = question.input;
      add_targets(question, path);
    }
    batch_.forest.end_tree();
  }

  /// The finished batch; the builder is empty again.
  ScoreBatch take() {
    std::vector<std::int64_t>& rows = batch_.rows;
    for (const HeadTarget& target : batch_.targets) {
      rows.push_back(target.row);
    }
    std::ranges::sort(rows);
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    for (HeadTarget& target : batch_.targets) {
      target.row = std::ranges::lower_bound(rows, target.row) - rows.begin();
    }
    return std::exchange(batch_, {});
  }

 private:
  /// Until `take`, rows of targets count in the forest.
  void add_targets(const Question& question, const std::vector<std::int32_t>& path) {
    const std::size_t first = batch_.targets.size();
    for (std::size_t i = 0; i < question.continuation.size(); ++i) {
      batch_.targets.push_back({path[question.row + i], question.continuation[i]});
    }
    batch_.requests.push_back({question.request, first, batch_.targets.size()});
  }

  ScoreBatch batch_;
};

}  // namespace

ScorePlan plan_scores(const TokenRequests& requests, const ScoreParams& params,
                      std::size_t vocab_size) {
  BTC_CHECK(params.batch_tokens >= 1 && params.max_length >= 1, "no room for a token");
  ScorePlan plan;
  std::vector<Question> questions;
  questions.reserve(requests.requests());
  for (std::size_t r = 0; r < requests.requests(); ++r) {
    questions.push_back(ask(requests, r, params.max_length, vocab_size));
  }
  std::ranges::sort(questions, before);
  for (std::size_t i = 0; i < questions.size(); ++i) {
    if (i == 0 || !std::ranges::equal(questions[i - 1].input, questions[i].input)) {
      ++plan.forwards;
      plan.input_tokens += questions[i].input.size();
    }
  }
  std::vector<Tree> trees = find_trees(questions);
  std::ranges::stable_sort(trees, std::greater<>(), &Tree::tokens);  // ids: the order they have
  BatchBuilder batch;
  for (const Tree& tree : trees) {
    if (batch.tokens() > 0 && batch.tokens() + tree.tokens > params.batch_tokens) {
      plan.batches.push_back(batch.take());
    }
    batch.add(std::span(questions).subspan(tree.first, tree.end - tree.first));
    plan.run_tokens += tree.tokens;
  }
  if (batch.tokens() > 0) {
    plan.batches.push_back(batch.take());
  }
  return plan;
}

std::vector<std::size_t> part_batches(const std::vector<ScoreBatch>& batches, std::size_t tokens) {
  std::vector<std::size_t> starts = {0};
  std::size_t in_part = 0;
  for (std::size_t b = 0; b < batches.size(); ++b) {
    if (in_part >= tokens) {
      starts.push_back(b);
      in_part = 0;
    }
    in_part += batches[b].forest.tokens();
  }
  if (!batches.empty()) {
    starts.push_back(batches.size());
  }
  return starts;
}

}  // namespace btc
