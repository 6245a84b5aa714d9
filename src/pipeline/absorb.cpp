#include "pipeline/absorb.hpp"

#include <fmt/format.h>
#include <array>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "common/log.hpp"
#include "common/rng.hpp"
#include "model/block_forward.hpp"
#include "pipeline/binarized_block.hpp"
#include "refine/tune_dense.hpp"

namespace btc {
namespace {

/// The factor of one shared input of a block, over all sequences in ascending order.
HessianFactor measure_input(const ModelConfig& model, const BlockWeights& weights,
                            const KroneckerFactors& factors, SharedInput input,
                            const OpenSequences& open, const PipelineConfig& config,
                            Backend& backend, TorchPlace place) {
  std::vector<std::size_t> order(config.calibration.samples);
  std::iota(order.begin(), order.end(), std::size_t{0});
  auto hessians =
      mean_hessians(model, weights, std::array{input}, open(order), order.size(), place);
  Matrix<float>& hessian = hessians.at(index_of(input));
  transform_hessian(factors, hessian);
  return factor_inputs(hessian, config.binarize, config.codebook, backend);
}

}  // namespace

PrepareLinear absorb_errors(const ModelConfig& model, const BlockWeights& weights,
                            const OnlineFactors& online, const OpenSequences& open,
                            std::vector<float> channel_weights, const PipelineConfig& config,
                            std::uint64_t seed, Backend& backend, TorchPlace place) {
  const auto original = std::make_shared<KeptOutputs>(BlockForward(model, weights, place));
  return [&model, &online, &open, &config, &backend, seed, original,
          channel_weights = std::move(channel_weights)](
             LinearKind kind, BlockWeights& present, EncodedBlock& encoded, HessianFactor& factor) {
    if (kind == kLinearKinds.front()) {
      return;  // nothing is quantized yet
    }
    const DenseReport report = tune_dense(model, {*original, channel_weights}, present,
                                          encoded.linear, online, config.calibration.samples, open,
                                          config.refine, derive_seed(seed, name_of(kind), 0));
    encoded.recoveries += report.recoveries;
    log_info(fmt::format(
        "encode {}: error of the block's output so far {:.4f}, absorbed to {:.4f}{}", name_of(kind),
        report.start, report.end, describe_recoveries(report.recoveries)));
    // What q, k and v take is the block's own input behind a norm that stays; every other input
    // comes from Linears that have just moved.
    if (input_of(kind) != SharedInput::kQkv) {
      factor = measure_input(model, present, online.at(index_of(input_of(kind))), input_of(kind),
                             open, config, backend, original->place());
    }
  };
}

}  // namespace btc
