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

}  // namespace

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
    std::vector<Matrix<float>> hidden;
    for (std::size_t w = begin; w < end; ++w) {
      hidden.push_back(model.embed(windows.row(w)));
    }
    for (int b = 0; b < model.config().blocks; ++b) {
      const BlockForward block(model.config(), model.load_block(b), place);
      for (Matrix<float>& states : hidden) {
        states = block.run(states.view());
      }
    }
    const std::size_t predicted = windows.cols() - 1;
    for (std::size_t w = begin; w < end; ++w) {
      const Matrix<float>& states = hidden[w - begin];
      result.push_back(mean(
          head.nll(states.view().sub(0, predicted, 0, states.cols()), windows.row(w).subspan(1))));
    }
  }
  return result;
}

double perplexity(std::span<const double> window_nll) {
  BTC_CHECK(!window_nll.empty(), "no windows");
  return std::exp(mean(window_nll));
}

}  // namespace btc
