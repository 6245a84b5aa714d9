#include "quant/codebook.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

#include "common/rng.hpp"

namespace btc {
namespace {

/// The c most frequent patterns; equal counts: the lower pattern first.
std::vector<Pattern> most_frequent(const PatternHistogram& histogram, std::size_t c) {
  std::vector<std::size_t> order(histogram.patterns.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto more = [&](std::size_t a, std::size_t b) {
    return histogram.counts[a] != histogram.counts[b] ? histogram.counts[a] > histogram.counts[b]
                                                      : a < b;
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(c), order.end(),
                    more);
  std::vector<Pattern> result;
  for (std::size_t k = 0; k < c; ++k) {
    result.push_back(histogram.patterns[order[k]]);
  }
  return result;
}

/// c distinct occurring patterns, each set equally likely (the first c steps of a shuffle).
std::vector<Pattern> random_patterns(const PatternHistogram& histogram, std::size_t c,
                                     std::uint64_t seed) {
  std::vector<Pattern> pool = histogram.patterns;
  Rng rng(derive_seed(seed, "codebook-init", 0));
  for (std::size_t k = 0; k < c; ++k) {
    std::swap(pool[k], pool[k + rng.below(pool.size() - k)]);
  }
  pool.resize(c);
  return pool;
}

double mean_flips(const PatternHistogram& histogram, const std::vector<Pattern>& codewords,
                  const std::vector<std::uint32_t>& assignment) {
  std::uint64_t flips = 0;
  std::uint64_t total = 0;
  for (std::size_t p = 0; p < histogram.patterns.size(); ++p) {
    const Pattern difference = histogram.patterns[p] ^ codewords[assignment[p]];
    flips += histogram.counts[p] * static_cast<std::uint64_t>(std::popcount(difference));
    total += histogram.counts[p];
  }
  return static_cast<double>(flips) / static_cast<double>(total) / histogram.vector_length;
}

}  // namespace

Codebook learn_codebook(const PatternHistogram& histogram, const CodebookParams& params,
                        std::uint64_t seed, Backend& backend) {
  const std::size_t c = codebook_size(params);
  BTC_CHECK(histogram.vector_length == params.vector_length, "histogram of length ",
            histogram.vector_length, ", codebook of length ", params.vector_length);
  BTC_REQUIRE(NumericError, !histogram.patterns.empty(), "codebook: no pattern to learn from");
  Codebook result;
  result.vector_length = params.vector_length;
  if (histogram.patterns.size() <= c) {
    result.codewords = histogram.patterns;
    return result;
  }
  result.codewords = params.init == CodebookInit::kFrequency ? most_frequent(histogram, c)
                                                             : random_patterns(histogram, c, seed);
  const auto session = backend.open_kmeans(histogram);
  std::vector<std::uint32_t> assignment(histogram.patterns.size(), 0);
  session->assign(result.codewords, assignment);
  while (result.iterations < params.iterations) {
    session->update(assignment, result.codewords);
    ++result.iterations;
    if (session->assign(result.codewords, assignment) == 0) {
      break;
    }
  }
  result.mean_flips = mean_flips(histogram, result.codewords, assignment);
  return result;
}

std::vector<Codebook> learn_codebooks(const std::vector<PatternHistogram>& histograms,
                                      const CodebookParams& params,
                                      const std::function<std::uint64_t(std::size_t)>& seed_of,
                                      Backend& backend) {
  std::vector<Codebook> codebooks;
  for (std::size_t i = 0; i < histograms.size(); ++i) {
    codebooks.push_back(histograms[i].patterns.empty()
                            ? Codebook{params.vector_length, {Pattern{0}}, 0, 0}
                            : learn_codebook(histograms[i], params, seed_of(i), backend));
  }
  return codebooks;
}

}  // namespace btc
