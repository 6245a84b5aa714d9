#include "pipeline/distill_file.hpp"

#include "common/error.hpp"
#include "common/matrix.hpp"
#include "io/format_version.hpp"
#include "io/hdf5_file.hpp"

namespace btc {
namespace {

constexpr std::string_view kSchema = "btc.distill";
constexpr std::string_view kVersion = "1.0";

}  // namespace

void write_distill_state(const std::filesystem::path& path, const TrainingState& state,
                         const std::string& fingerprint) {
  Hdf5File file = Hdf5File::create(path);
  file.set_attribute("/", "schema", kSchema);
  file.set_attribute("/", "version", kVersion);
  file.set_attribute("/", "fingerprint", fingerprint);
  file.set_attribute("/", "steps", state.adam.steps);
  file.set_attribute("/", "best_divergence", state.best_loss);
  file.set_attribute("/", "best_epoch", std::int64_t{state.best_epoch});
  file.set_attribute("/", "rate", state.rate);
  file.set_attribute("/", "recoveries", std::int64_t{state.recoveries});
  const auto write = [&](const char* name, const std::vector<float>& values) {
    file.write<float>(name, {values.size()}, values);
  };
  write("/change", state.change);
  write("/best", state.best);
  write("/first", state.adam.first);
  write("/second", state.adam.second);
  file.commit();
}

TrainingState read_distill_state(const std::filesystem::path& path) {
  const Hdf5File file = Hdf5File::open(path);
  const std::string schema = file.text_attribute("/", "schema");
  BTC_REQUIRE(FormatError, schema == kSchema, path.string(), ": schema ", schema, ", expected ",
              kSchema);
  check_version(file.text_attribute("/", "version"), kVersion, path.string());
  TrainingState state;
  state.change = file.read<float>("/change");
  state.best = file.read<float>("/best");
  state.adam.first = file.read<float>("/first");
  state.adam.second = file.read<float>("/second");
  BTC_REQUIRE(FormatError, state.best.size() == state.change.size(), path.string(), ": ",
              state.best.size(), " best values, expected ", state.change.size());
  state.adam.steps = file.int_attribute("/", "steps");
  state.best_loss = file.real_attribute("/", "best_divergence");
  state.best_epoch = narrow<int>(file.int_attribute("/", "best_epoch"));
  state.rate = file.real_attribute("/", "rate");
  state.recoveries = narrow<int>(file.int_attribute("/", "recoveries"));
  return state;
}

}  // namespace btc
