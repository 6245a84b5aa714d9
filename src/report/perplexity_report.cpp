#include "report/perplexity_report.hpp"

#include <fmt/format.h>

#include "report/aligned_table.hpp"

namespace btc {

std::string perplexity_table(const std::vector<PerplexityResult>& results) {
  if (results.empty()) {
    return "Perplexity: not measured\n";
  }
  std::vector<std::vector<std::string>> rows = {{"text", "subject", "perplexity", "window",
                                                 "stride", "windows", "tokens", "BOS", "protocol"}};
  for (const PerplexityResult& r : results) {
    rows.push_back({r.name, r.subject, fmt::format("{:.3f}", r.value), grouped(r.window),
                    grouped(r.window), grouped(r.windows), grouped(r.tokens),
                    r.add_bos ? "yes" : "no", r.protocol});
  }
  return "Perplexity\n" + aligned(rows);
}

}  // namespace btc
