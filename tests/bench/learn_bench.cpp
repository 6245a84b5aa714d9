/// What a step of learning a transform costs beside the block itself: a 7B-shaped block is
/// transformed, quantized and differentiated on two threads. The peer is a sequence of 2048 tokens
/// through the block and back, of which a step has 4 or 16; `again_s` when the original's output is
/// known.

#include <benchmark/benchmark.h>

#include <vector>

#include "bench/block_run.hpp"
#include "bench/two_threads.hpp"
#include "learn/transformed_block.hpp"

namespace btc::bench {
namespace {

Matrix<float> sequence(const ModelConfig& config, std::size_t tokens) {
  Matrix<float> hidden(tokens, config.hidden);
  fill(hidden.view(), 1.0, 100);
  return hidden;
}

/// Of one step on `count` times the same sequence.
double step_seconds(const ModelConfig& config, KeptOutputs& original, TransformedBlock& block,
                    std::size_t tokens, std::size_t count) {
  const Matrix<float> hidden = sequence(config, tokens);
  const std::vector<float> change(block.size());
  std::vector<float> gradient(block.size());
  const Timer timer;
  block.set(change, false);
  block.choose_signs();
  block.add_error_gradient(
      original, [&] { return hidden; }, std::vector<std::size_t>(count, tokens), gradient);
  return timer.seconds();
}

void learn_step(benchmark::State& state, Precision precision) {
  const ModelConfig config = llama(4096, 11008);
  const BlockWeights weights = random_block(config);
  KeptOutputs original(BlockForward(config, weights));
  TransformParams params;
  params.kind = TransformKind::kFlatQuant;
  params.precision = precision;
  BinarizeParams binarize;
  binarize.split_points = 1;
  TransformedBlock block(config, weights, params, binarize, 128, 1);
  const Timer timer;
  block.regroup();
  state.counters["regroup_s"] = timer.seconds();
  for (auto _ : state) {
    const double quantizer = step_seconds(config, original, block, 8, 1);
    const double first = step_seconds(config, original, block, kTokens, 1);
    const double one = step_seconds(config, original, block, kTokens, 1);
    const double four = step_seconds(config, original, block, kTokens, 4);
    state.counters["quantizer_s"] = quantizer;
    state.counters["sequence_s"] = first - quantizer;
    state.counters["again_s"] = (four - one) / 3;
  }
  report_peak(state);
}

void add(Precision precision) {
  const auto name = kPrecisionNames.at(static_cast<std::size_t>(precision));
  benchmark::RegisterBenchmark(concat("learn/cpu/7b/", name).c_str(), learn_step, precision)
      ->Iterations(1)
      ->Unit(benchmark::kSecond)
      ->UseRealTime();
}

const bool kAdded = [] {
  add(Precision::kFp32);
  add(Precision::kBf16);
  return true;
}();

}  // namespace
}  // namespace btc::bench

int main(int argc, char** argv) { return btc::bench::run(argc, argv); }
