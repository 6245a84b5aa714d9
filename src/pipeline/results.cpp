#include "pipeline/results.hpp"

#include <array>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "comm/agree.hpp"
#include "common/hash.hpp"
#include "common/timer.hpp"
#include "common/version.hpp"
#include "io/atomic_file.hpp"
#include "pipeline/environment_report.hpp"

namespace btc {

namespace {

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm broken_down{};
  gmtime_r(&now, &broken_down);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &broken_down);
  return text.data();
}

double salient_fraction(const UnitStore& store, const std::vector<Unit>& encode) {
  std::uint64_t salient = 0;
  std::uint64_t columns = 0;
  for (const Unit& unit : encode) {
    const auto counts =
        nlohmann::json::parse(store.at(unit).payload).get<std::array<std::uint64_t, 2>>();
    salient += counts[0];
    columns += counts[1];
  }
  return columns == 0 ? 0 : static_cast<double>(salient) / static_cast<double>(columns);
}

void add_identity(RunReport& report, const PipelineConfig& config, const ModelConfig& model) {
  report.run_id = config.run.dir.filename().string();
  report.created_utc = utc_now();
  report.git_hash = git_hash();
  report.git_dirty = git_dirty();
  report.config_sha256 = sha256_hex(to_yaml(config));
  report.model = config.model_path.string();
  report.linear_weights = linear_weight_count(model);
  report.parameters = parameter_count(model);
  report.threads_per_rank = config.compute.threads_per_rank;
  report.backend = kBackendKindNames.at(static_cast<std::size_t>(config.compute.backend));
  report.device = cpu_model();
}

void add_size(RunReport& report, const ReducedModel& reduced) {
  report.nominal_bits = reduced.bits.nominal;
  report.sign_bits = reduced.bits.sign;
  report.stored_bits = reduced.bits.stored;
  report.model_bits = reduced.bits.model;
  for (const LedgerLine& line : totals_by_category(reduced.ledger)) {
    report.ledger.push_back({line.category, line.bytes});
  }
  report.total_bytes = total_bytes(reduced.ledger);
}

}  // namespace

void report_results(const PipelineConfig& config, const RunPaths& paths, const ModelConfig& model,
                    const PlannedUnits& units, const StageRunner& runner,
                    const ReducedModel& reduced, const Measurements& measured,
                    const StageClock& clock) {
  const Communicator& comm = runner.comm();
  const auto peaks = comm.all_gather(std::to_string(peak_rss_bytes()));
  agree(comm, "writing the results", [&] {
    if (comm.rank() != 0) {
      return;
    }
    RunReport report;
    add_identity(report, config, model);
    add_size(report, reduced);
    report.salient_fraction = salient_fraction(runner.store(), units.encode);
    report.perplexity = measured.perplexity;
    report.zero_shot = measured.zero_shot;
    report.seconds = clock.seconds();
    for (const std::string& peak : peaks) {
      report.peak_rss_bytes.push_back(std::stoull(peak));
    }
    if (clock.worked() || !std::filesystem::exists(paths.root / "results.json")) {
      write_text_file(paths.root / "results.json", results_json(report));
      write_text_file(paths.root / "results.csv", results_csv(report));
    }
    std::cout << results_table(report) << std::flush;
  });
}

}  // namespace btc
