#include "eval/perplexity.hpp"

#include <algorithm>
#include <cmath>

#include "common/error.hpp"
#include "model/block_forward.hpp"

namespace btc {

namespace {

double mean(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  return sum / static_cast<double>(values.size());
}

/// Of windows that are in memory together.
std::vector<double> nll_together(const ModelSource& model, const HeadForward& head,
                                 MatrixView<const std::int32_t> windows, TorchPlace place) {
  const ModelConfig& config = model.config();
  const auto of_block = [&](std::size_t) { return block_entries(config, windows.cols()); };
  const auto of_head = [&](std::size_t) { return head_entries(config, windows.cols()); };
  std::vector<Matrix<float>> hidden;
  for (std::size_t w = 0; w < windows.rows(); ++w) {
    hidden.push_back(model.embed(windows.row(w)));
  }
  for (int b = 0; b < config.blocks; ++b) {
    const BlockForward block(config, model.load_block(b), place);
    block.prepare(windows.cols());
    share_out(place, windows.rows(), of_block,
              [&](std::size_t w) { hidden[w] = block.run(hidden[w].view()); });
  }
  const std::size_t predicted = windows.cols() - 1;
  std::vector<double> result(windows.rows());
  share_out(place, windows.rows(), of_head, [&](std::size_t w) {
    result[w] = mean(head.nll(hidden[w].view().sub(0, predicted, 0, hidden[w].cols()),
                              windows.row(w).subspan(1)));
  });
  return result;
}

}  // namespace

std::size_t block_entries(const ModelConfig& config, std::size_t window) {
  return window * config.intermediate;
}

std::size_t head_entries(const ModelConfig& config, std::size_t window) {
  return std::min(window, kHeadRows) * config.vocab_size;
}

std::vector<double> window_nll(const ModelSource& model, MatrixView<const std::int32_t> windows,
                               std::size_t windows_in_memory, TorchPlace place) {
  BTC_CHECK(windows_in_memory >= 1, "no window fits in memory");
  BTC_REQUIRE(InputError, windows.rows() == 0 || windows.cols() >= 2, "windows of ", windows.cols(),
              " ids, expected at least 2");
  std::vector<double> result;
  if (windows.rows() == 0) {
    return result;
  }
  const HeadForward head(model, place);
  for (std::size_t begin = 0; begin < windows.rows(); begin += windows_in_memory) {
    const std::size_t end = std::min(begin + windows_in_memory, windows.rows());
    const auto part = nll_together(model, head, windows.sub(begin, end, 0, windows.cols()), place);
    result.insert(result.end(), part.begin(), part.end());
  }
  return result;
}

double perplexity(std::span<const double> window_nll) {
  BTC_CHECK(!window_nll.empty(), "no windows");
  return std::exp(mean(window_nll));
}

}  // namespace btc
