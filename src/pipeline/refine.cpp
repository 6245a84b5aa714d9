#include "pipeline/refine.hpp"

#include <fmt/format.h>
#include <utility>

#include "common/log.hpp"
#include "common/rng.hpp"
#include "pipeline/encode.hpp"
#include "pipeline/sign_training.hpp"
#include "pipeline/stored_block.hpp"
#include "pipeline/stored_inputs.hpp"
#include "refine/refine_block.hpp"

namespace btc {
namespace {

std::string describe(const RefineReport& report) {
  return fmt::format("error of the block's output {:.4f} -> {:.4f} (epoch {})", report.start,
                     report.end, report.best_epoch) +
         describe_recoveries(report.recoveries);
}

}  // namespace

std::size_t refine_blocks(StageRunner& runner, const PlannedUnits& units,
                          const PipelineConfig& config, const Checkpoint& checkpoint,
                          const IdentifiedModel& original, Backend& backend, TorchPlace place) {
  const PackedFormat format = packed_format(config);
  const ModelConfig& model = checkpoint.config();
  return runner.run(units.refine, [&](std::size_t b) {
    const int block = static_cast<int>(b);
    const Unit& unit = units.refine[b];
    StoredBlock stored = read_stored_block(
        runner.store(), units.encode[b], codebook_unit(config, units, block), model, block, format);
    SignTraining signs(runner.store(), units, config, original, backend);
    ScaledBlock trained(std::move(stored.linear), std::move(stored.rest), NormGains::kTrained,
                        std::move(stored.transform));
    if (config.refine.block_sign_learning_rate > 0) {
      signs.add_to(trained, block,
                   config.refine.block_sign_learning_rate / config.refine.block_learning_rate);
    }
    const auto log_epoch = [&](int epoch, double loss) {
      log_info(fmt::format("refine {}: epoch {} of {}, held-out error {:.4f}", unit.name, epoch,
                           config.refine.block_epochs, loss));
    };
    const RefineReport report =
        refine_block(model, original.load_block(block), trained, config.calibration.samples,
                     stored_inputs(runner.store(), units.capture[b]), config.refine,
                     derive_seed(config.run.seed, "refine", b), log_epoch, place);
    const PackedBlockFile written =
        write_trained_block(unit, trained, stored.codebooks, checkpoint, block, format);
    return UnitResult{.bytes = written.file.bytes,
                      .sha256 = written.file.sha256,
                      .seconds = 0,
                      .note = describe(report),
                      .payload = "null"};
  });
}

}  // namespace btc
