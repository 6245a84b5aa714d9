#include "report/run_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/error.hpp"
#include "report/measurement_json.hpp"

namespace btc {
namespace {

constexpr int kSchemaVersion = 1;
constexpr std::uint64_t kToyParameters = 100'000'000;

using Row = std::vector<std::pair<std::string_view, std::string>>;

std::string stage_seconds(const RunReport& report, std::string_view stage) {
  const auto it = std::ranges::find(report.seconds, stage, &std::pair<std::string, double>::first);
  return it == report.seconds.end() ? "" : fmt::format("{}", it->second);
}

/// Columns of a task's score, empty ones for null.
void add_task_columns(const TaskScore* score, Row& row) {
  const auto text = [](const auto& value) { return value ? fmt::format("{}", *value) : ""; };
  const auto metric = [&](std::string_view name) {
    return score != nullptr ? text(score->value(name)) : "";
  };
  const auto field = [&](auto member) {
    return score != nullptr ? fmt::format("{}", score->*member) : std::string();
  };
  row.emplace_back("task", field(&TaskScore::task));
  for (const std::string_view name :
       {"acc", "acc_stderr", "acc_norm", "acc_norm_stderr", "acc_bytes", "acc_bytes_stderr",
        "perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte"}) {
    row.emplace_back(name, metric(name));
  }
  row.emplace_back("task_floor", score != nullptr ? text(score->floor) : "");
  row.emplace_back("task_at_floor", field(&TaskScore::at_floor));
  row.emplace_back("task_documents", field(&TaskScore::documents));
  row.emplace_back("task_add_bos", field(&TaskScore::add_bos));
}

/// Columns in file order. `result` is null for a row without a perplexity, `score` for one without
/// a score of a task.
Row make_row(const RunReport& report, const PerplexityResult* result, const TaskScore* score) {
  const std::string subject = result != nullptr  ? result->subject
                              : score != nullptr ? score->subject
                                                 : "packed";
  const bool packed = subject == "packed";
  const auto if_packed = [&](const auto& value) {
    return packed ? fmt::format("{}", value) : std::string();
  };
  const auto measured = [&](auto field) {
    return result != nullptr ? fmt::format("{}", result->*field) : std::string();
  };
  const double linear_bytes =
      std::round(report.stored_bits * static_cast<double>(report.linear_weights) / 8);
  Row row = {{"schema_version", fmt::format("{}", kSchemaVersion)},
             {"run_id", report.run_id},
             {"created_utc", report.created_utc},
             {"git_hash", report.git_hash},
             {"git_dirty", fmt::format("{}", report.git_dirty)},
             {"config_sha256", report.config_sha256},
             {"model", report.model},
             {"variant", subject},
             {"linear_weights", fmt::format("{}", report.linear_weights)},
             {"parameters", fmt::format("{}", report.parameters)},
             {"nominal_bits", if_packed(report.nominal_bits)},
             {"sign_bits", if_packed(report.sign_bits)},
             {"stored_bits", if_packed(report.stored_bits)},
             {"model_bits", if_packed(report.model_bits)},
             {"linear_bytes", if_packed(static_cast<std::uint64_t>(linear_bytes))},
             {"model_bytes", if_packed(report.total_bytes)},
             {"salient_fraction", if_packed(report.salient_fraction)},
             {"ppl_dataset", measured(&PerplexityResult::name)},
             {"ppl", measured(&PerplexityResult::value)},
             {"ppl_protocol", measured(&PerplexityResult::protocol)},
             {"ppl_seqlen", measured(&PerplexityResult::window)},
             {"ppl_windows", measured(&PerplexityResult::windows)},
             {"ppl_add_bos", measured(&PerplexityResult::add_bos)},
             {"ppl_tokens", measured(&PerplexityResult::tokens)},
             {"s_capture", stage_seconds(report, "capture")},
             {"s_binarize", stage_seconds(report, "binarize")},
             {"s_codebook", stage_seconds(report, "codebook")},
             {"s_encode", stage_seconds(report, "encode")},
             {"s_reduce", stage_seconds(report, "reduce")},
             {"s_evaluate", stage_seconds(report, "evaluate")},
             {"ranks", fmt::format("{}", report.peak_rss_bytes.size())},
             {"threads_per_rank", fmt::format("{}", report.threads_per_rank)},
             {"backend", report.backend},
             {"device", report.device},
             {"toy", fmt::format("{}", is_toy(report))}};
  add_task_columns(score, row);
  return row;
}

template <typename Part>
std::string csv_line(const Row& row, Part part) {
  std::string line;
  for (const auto& column : row) {
    line += (line.empty() ? "" : ",") + csv_field(std::string(part(column)));
  }
  return line + "\n";
}

}  // namespace

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) {
    return text;
  }
  std::string out = "\"";
  for (const char c : text) {
    out += c == '"' ? "\"\"" : std::string(1, c);
  }
  return out + '"';
}

bool is_toy(const RunReport& report) { return report.parameters < kToyParameters; }

std::string results_json(const RunReport& report) {
  using Json = nlohmann::ordered_json;
  Json ledger = Json::array();
  for (const auto& line : report.ledger) {
    ledger.push_back({{"category", line.category}, {"bytes", line.bytes}});
  }
  Json seconds = Json::object();
  for (const auto& [stage, value] : report.seconds) {
    seconds[stage] = value;
  }
  Json row = {{"schema_version", kSchemaVersion},
              {"run_id", report.run_id},
              {"created_utc", report.created_utc},
              {"git", report.git_hash},
              {"git_dirty", report.git_dirty},
              {"config_sha256", report.config_sha256},
              {"model", report.model},
              {"toy", is_toy(report)},
              {"linear_weights", report.linear_weights},
              {"parameters", report.parameters},
              {"bits",
               {{"nominal", report.nominal_bits},
                {"sign", report.sign_bits},
                {"stored", report.stored_bits},
                {"model", report.model_bits}}},
              {"salient_fraction", report.salient_fraction},
              {"perplexity", perplexity_json(report.perplexity)},
              {"ledger", ledger},
              {"total_bytes", report.total_bytes},
              {"seconds", seconds},
              {"peak_rss_bytes", report.peak_rss_bytes},
              {"ranks", report.peak_rss_bytes.size()},
              {"threads_per_rank", report.threads_per_rank},
              {"backend", report.backend},
              {"device", report.device}};
  if (!report.zero_shot.empty()) {
    row["zero_shot"] = zero_shot_json(report.zero_shot);
  }
  Json root = Json::object();
  add_harness_keys(report.zero_shot, root);
  root["btc"] = std::move(row);
  return root.dump(2) + "\n";
}

RunReport parse_results(const std::string& text, const std::string& origin) {
  using Json = nlohmann::ordered_json;  // stages keep their order
  RunReport report;
  try {
    const Json row = Json::parse(text).at("btc");
    const int version = row.at("schema_version");
    BTC_REQUIRE(FormatError, version == kSchemaVersion, origin, ": schema_version ", version,
                ", expected ", kSchemaVersion);
    report.run_id = row.at("run_id");
    report.created_utc = row.at("created_utc");
    report.git_hash = row.at("git");
    report.git_dirty = row.at("git_dirty");
    report.config_sha256 = row.at("config_sha256");
    report.model = row.at("model");
    report.linear_weights = row.at("linear_weights");
    report.parameters = row.at("parameters");
    const Json& bits = row.at("bits");
    report.nominal_bits = bits.at("nominal");
    report.sign_bits = bits.at("sign");
    report.stored_bits = bits.at("stored");
    report.model_bits = bits.at("model");
    report.salient_fraction = row.at("salient_fraction");
    for (const Json& line : row.at("ledger")) {
      report.ledger.push_back({line.at("category"), line.at("bytes")});
    }
    report.total_bytes = row.at("total_bytes");
    for (const Json& r : row.at("perplexity")) {
      report.perplexity.push_back({r.at("subject"), r.at("name"), r.at("protocol"), r.at("window"),
                                   r.at("windows"), r.at("tokens"), r.at("add_bos"),
                                   r.at("value")});
    }
    if (row.contains("zero_shot")) {
      report.zero_shot = zero_shot_from(row.at("zero_shot"));
    }
    for (const auto& [stage, seconds] : row.at("seconds").items()) {
      report.seconds.emplace_back(stage, seconds.get<double>());
    }
    report.peak_rss_bytes = row.at("peak_rss_bytes").get<std::vector<std::uint64_t>>();
    report.threads_per_rank = row.at("threads_per_rank");
    report.backend = row.at("backend");
    report.device = row.at("device");
  } catch (const nlohmann::json::exception& error) {
    BTC_THROW(FormatError, origin, ": ", error.what());
  }
  return report;
}

std::string results_csv(const RunReport& report) {
  std::vector<Row> rows;
  for (const auto& result : report.perplexity) {
    rows.push_back(make_row(report, &result, nullptr));
  }
  for (const auto& score : report.zero_shot.scores) {
    rows.push_back(make_row(report, nullptr, &score));
  }
  if (rows.empty()) {
    rows.push_back(make_row(report, nullptr, nullptr));
  }
  std::string text = csv_line(rows.front(), [](const auto& column) { return column.first; });
  for (const auto& row : rows) {
    text += csv_line(row, [](const auto& column) { return column.second; });
  }
  return text;
}

}  // namespace btc
