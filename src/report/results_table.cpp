#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "report/run_report.hpp"

namespace btc {
namespace {

/// 1234567 -> 1,234,567.
std::string grouped(std::uint64_t value) {
  std::string digits = fmt::format("{}", value);
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3) {
    digits.insert(static_cast<std::size_t>(i), ",");
  }
  return digits;
}

/// Columns as wide as their widest cell; the first is aligned left, the others right.
std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    text += fmt::format("  {:<{}}", row[0], widths[0]);
    for (std::size_t i = 1; i < row.size(); ++i) {
      text += fmt::format("  {:>{}}", row[i], widths[i]);
    }
    text += "\n";
  }
  return text;
}

std::string model_line(const RunReport& report) {
  std::string text =
      fmt::format("Model {}: {} parameters, {} of them in quantized Linears\n", report.model,
                  grouped(report.parameters), grouped(report.linear_weights));
  if (is_toy(report)) {
    text += "  (toy: a model this small says little about large ones)\n";
  }
  return text;
}

std::string perplexity_part(const RunReport& report) {
  if (report.perplexity.empty()) {
    return "Perplexity: not measured\n";
  }
  std::vector<std::vector<std::string>> rows = {
      {"text", "subject", "perplexity", "window", "windows", "tokens", "BOS", "protocol"}};
  for (const auto& r : report.perplexity) {
    rows.push_back({r.name, r.subject, fmt::format("{:.3f}", r.value), grouped(r.window),
                    grouped(r.windows), grouped(r.tokens), r.add_bos ? "yes" : "no", r.protocol});
  }
  return "Perplexity\n" + aligned(rows);
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
  return model_line(report) + perplexity_part(report) + bits_part(report) + ledger_part(report) +
         cost_part(report);
}

}  // namespace btc
