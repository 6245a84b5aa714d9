#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "report/aligned_table.hpp"
#include "report/run_report.hpp"

namespace btc {
namespace {

std::string model_line(const RunReport& report) {
  std::string text =
      fmt::format("Model {}: {} parameters, {} of them in quantized Linears\n", report.model,
                  grouped(report.parameters), grouped(report.linear_weights));
  if (is_toy(report)) {
    text += "  (toy: a model this small says little about large ones)\n";
  }
  return text;
}

std::string bits_part(const RunReport& report) {
  const auto line = [](std::string_view name, double value, std::string_view meaning) {
    return fmt::format("  {:<8}{:>8.4f}  {}\n", name, value, meaning);
  };
  return "Bits\n" + line("nominal", report.nominal_bits, "log2(codewords) / vector length") +
         line("sign", report.sign_bits, "indices + residual + codebook, per weight") +
         line("stored", report.stored_bits, "every byte of the Linears, per weight") +
         line("model", report.model_bits, "the whole model, per parameter");
}

std::string ledger_part(const RunReport& report) {
  std::vector<std::vector<std::string>> rows;
  const double total = static_cast<double>(std::max<std::uint64_t>(report.total_bytes, 1));
  const auto add = [&](const std::string& name, std::uint64_t bytes) {
    rows.push_back(
        {name, grouped(bytes), fmt::format("{:.1f} %", 100 * static_cast<double>(bytes) / total)});
  };
  for (const auto& line : report.ledger) {
    add(line.category, line.bytes);
  }
  add("total", report.total_bytes);
  return "Bytes of the packed model\n" + aligned(rows);
}

std::string cost_part(const RunReport& report) {
  std::vector<std::vector<std::string>> rows;
  double total = 0;
  for (const auto& [stage, seconds] : report.seconds) {
    rows.push_back({stage, fmt::format("{:.2f}", seconds)});
    total += seconds;
  }
  rows.push_back({"total", fmt::format("{:.2f}", total)});
  std::uint64_t peak = 0;
  for (const std::uint64_t bytes : report.peak_rss_bytes) {
    peak = std::max(peak, bytes);
  }
  return "Seconds\n" + aligned(rows) +
         fmt::format("{} ranks with {} threads each, {} backend; largest rank {} MiB\n",
                     report.peak_rss_bytes.size(), report.threads_per_rank, report.backend,
                     peak >> 20U);
}

}  // namespace

std::string results_table(const RunReport& report) {
  return model_line(report) + perplexity_table(report.perplexity) +
         zero_shot_table(report.zero_shot) + bits_part(report) + ledger_part(report) +
         cost_part(report);
}

}  // namespace btc
