#include "pipeline/training_file.hpp"

#include "common/error.hpp"
#include "common/matrix.hpp"
#include "pipeline/stage_file.hpp"

namespace btc {
namespace {

constexpr StageFileKind kKind = {"btc.training", "1.0"};

}  // namespace

void write_training_state(const std::filesystem::path& path, const TrainingState& state,
                          const std::string& fingerprint) {
  Hdf5File file = create_stage_file(path, kKind, fingerprint);
  file.set_attribute("/", "steps", state.adam.steps);
  file.set_attribute("/", "epochs", std::int64_t{state.epochs});
  file.set_attribute("/", "best_loss", state.best_loss);
  file.set_attribute("/", "best_epoch", std::int64_t{state.best_epoch});
  file.set_attribute("/", "rate", state.rate);
  file.set_attribute("/", "recoveries", std::int64_t{state.recoveries});
  write_list(file, "/change", state.change);
  write_list(file, "/best", state.best);
  write_list(file, "/first", state.adam.first);
  write_list(file, "/second", state.adam.second);
  file.commit();
}

TrainingState read_training_state(const std::filesystem::path& path,
                                  const std::string& fingerprint) {
  const Hdf5File file = open_stage_file(path, kKind);
  BTC_REQUIRE(FormatError, file.text_attribute("/", "fingerprint") == fingerprint, path.string(),
              ": made from other settings or inputs");
  TrainingState state;
  state.change = file.read<float>("/change");
  state.best = file.read<float>("/best");
  state.adam.first = read_list<float>(file, "/first");
  state.adam.second = read_list<float>(file, "/second");
  BTC_REQUIRE(FormatError, state.best.size() == state.change.size(), path.string(), ": ",
              state.best.size(), " best values, expected ", state.change.size());
  for (const auto* moments : {&state.adam.first, &state.adam.second}) {
    BTC_REQUIRE(FormatError, moments->empty() || moments->size() == state.change.size(),
                path.string(), ": ", moments->size(), " moments, expected ", state.change.size(),
                ", or none before the first step");
  }
  state.adam.steps = file.int_attribute("/", "steps");
  state.best_loss = file.real_attribute("/", "best_loss");
  state.epochs = narrow<int>(file.int_attribute("/", "epochs"));
  state.best_epoch = narrow<int>(file.int_attribute("/", "best_epoch"));
  state.rate = file.real_attribute("/", "rate");
  state.recoveries = narrow<int>(file.int_attribute("/", "recoveries"));
  return state;
}

}  // namespace btc
