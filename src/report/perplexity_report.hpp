#pragma once
/// Perplexities as a report holds them, and their table.

#include <cstdint>
#include <string>
#include <vector>

namespace btc {

/// One perplexity. `subject` and `protocol` are words of the configuration.
struct PerplexityResult {
  std::string subject;   ///< `original` or `packed`
  std::string name;      ///< of the text
  std::string protocol;  ///< how it was measured, e.g. `gptq`; sampled texts are labelled here
  std::uint64_t window = 0;
  std::uint64_t windows = 0;
  std::uint64_t tokens = 0;
  bool add_bos = false;
  double value = 0;
};

/// For people: each value with all that it depends on. The windows do not overlap: the stride is
/// the window.
std::string perplexity_table(const std::vector<PerplexityResult>& results);

}  // namespace btc
