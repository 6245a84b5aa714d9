#include "inspect/activation_statistics.hpp"

#include <algorithm>
#include <cmath>

#include "generate/generate.hpp"

namespace btc {

void InputDistribution::add(MatrixView<const float> inputs) {
  for (std::size_t t = 0; t < inputs.rows(); ++t) {
    const auto row = inputs.row(t);
    double squares = 0;
    for (const float x : row) {
      squares += static_cast<double>(x) * static_cast<double>(x);
    }
    if (squares == 0) {
      continue;
    }
    const double rms = std::sqrt(squares / static_cast<double>(row.size()));
    for (const float x : row) {
      const double size = std::abs(static_cast<double>(x)) / rms;
      const auto bin = static_cast<std::size_t>(size / kBinWidth);
      ++bins.at(std::min(bin, kBins - 1));
      largest = std::max(largest, size);
      fourth_sum += size * size * size * size;
    }
    count += row.size();
  }
}

double InputDistribution::kurtosis() const {
  return count == 0 ? 0 : fourth_sum / static_cast<double>(count);
}

std::vector<InputStatistics> activation_statistics(const ResidentModel& model,
                                                   const Workers& workers, std::size_t tokens,
                                                   std::uint64_t seed) {
  BTC_CHECK(tokens > 0, "no token to look at");
  std::vector<InputStatistics> statistics;
  for (int block = 0; block < model.config().blocks; ++block) {
    for (const SharedInput input : kSharedInputs) {
      statistics.push_back({block, input, {}, {}});
    }
  }
  IncrementalForward forward(model, workers, tokens);
  forward.observe([&](int block, SharedInput input, MatrixView<const float> before,
                      MatrixView<const float> after) {
    InputStatistics& own =
        statistics[static_cast<std::size_t>(block) * kSharedInputs.size() + index_of(input)];
    own.before.add(before);
    own.after.add(after);
  });
  GenerateParams params;
  params.max_tokens = tokens;  // nothing is computed after the last one
  params.sampling = {1, 1};
  params.seed = seed;
  const std::int32_t start = model.config().bos_id.value_or(0);
  generate(forward, {&start, 1}, params, {});
  return statistics;
}

}  // namespace btc
