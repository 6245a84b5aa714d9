#pragma once
/// Learns a binary codebook from sign-pattern counts. @see BTC-LLM Alg. 3; paper_map.md

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "backend/backend.hpp"
#include "common/pattern.hpp"
#include "quant/params.hpp"

namespace btc {

/// A learned codebook and how it came about.
struct Codebook {
  int vector_length = 0;
  std::vector<Pattern> codewords;  ///< at most c of them, fewer if fewer patterns occur
  int iterations = 0;              ///< sweeps that were run
  double mean_flips = 0;           ///< Hamming distance per sign, count-weighted, 0..1
};

/// @param histogram not empty
/// @param seed used by `init: random` only
/// If at most c distinct patterns occur they are the codebook, in ascending order: lossless.
Codebook learn_codebook(const PatternHistogram& histogram, const CodebookParams& params,
                        std::uint64_t seed, Backend& backend);

/// Codebooks of several histograms. An empty one, of a set without signs, has a single codeword, 0.
/// @param seed_of of codebook i
std::vector<Codebook> learn_codebooks(const std::vector<PatternHistogram>& histograms,
                                      const CodebookParams& params,
                                      const std::function<std::uint64_t(std::size_t)>& seed_of,
                                      Backend& backend);

}  // namespace btc
