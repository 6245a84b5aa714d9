#include "refine/channel_fisher.hpp"

#include <cmath>
#include <numeric>
#include <span>
#include <vector>

#include "common/error.hpp"
#include "model/block_forward.hpp"
#include "model/block_gradient.hpp"

namespace btc {
namespace {

/// dL/dh of the last block's output, for each sequence.
std::vector<Matrix<float>> output_gradients(const ModelSource& original,
                                            const Matrix<std::int32_t>& ids,
                                            const SequenceStream& inputs, TorchPlace place) {
  const int last = original.config().blocks - 1;
  const BlockForward block(original.config(), original.load_block(last), place);
  const HeadBackward head(original, place);
  std::vector<Matrix<float>> gradients;
  for (std::size_t s = 0; s < ids.rows(); ++s) {
    const Matrix<float> output = block.run(inputs().view());
    gradients.push_back(head.nll_gradient(output.view(), ids.row(s).subspan(1)));
  }
  return gradients;
}

/// Takes the gradients from the output of a block to its input.
void pass_back(const ModelSource& original, int b, const SequenceStream& inputs,
               std::vector<Matrix<float>>& gradients, TorchPlace place) {
  BlockBackward block(original.config(), original.load_block(b), LinearMask{}, place);
  for (Matrix<float>& gradient : gradients) {
    const Matrix<float> input = inputs();
    block.forward(input.view(), true);
    gradient = block.backward(gradient.view());
  }
}

/// Mean squares of the columns, divided by their mean.
void relative_mean_squares(const std::vector<Matrix<float>>& gradients, int block,
                           std::span<float> result) {
  std::vector<double> sums(result.size());
  for (const Matrix<float>& gradient : gradients) {
    for (std::size_t t = 0; t < gradient.rows(); ++t) {
      const auto row = gradient.row(t);
      for (std::size_t c = 0; c < sums.size(); ++c) {
        sums[c] += static_cast<double>(row[c]) * static_cast<double>(row[c]);
      }
    }
  }
  const double mean =
      std::accumulate(sums.begin(), sums.end(), 0.0) / static_cast<double>(sums.size());
  BTC_REQUIRE(NumericError, std::isfinite(mean), "block ", block,
              ": gradients of the likelihood for its output are not finite");
  for (std::size_t c = 0; c < sums.size(); ++c) {
    result[c] = mean > 0 ? static_cast<float>(sums[c] / mean) : 1.0F;
  }
}

}  // namespace

Matrix<float> channel_fisher(const ModelSource& original, const Matrix<std::int32_t>& ids,
                             const std::function<SequenceStream(int block)>& open,
                             TorchPlace place) {
  const ModelConfig& config = original.config();
  BTC_CHECK(ids.rows() > 0 && ids.cols() > 0, "sequences [", ids.rows(), ", ", ids.cols(), "]");
  Matrix<float> weights(static_cast<std::size_t>(config.blocks), config.hidden);
  int block = config.blocks - 1;
  std::vector<Matrix<float>> gradients = output_gradients(original, ids, open(block), place);
  relative_mean_squares(gradients, block, weights.row(static_cast<std::size_t>(block)));
  for (; block > 0; --block) {
    pass_back(original, block, open(block), gradients, place);
    relative_mean_squares(gradients, block - 1, weights.row(static_cast<std::size_t>(block) - 1));
  }
  return weights;
}

}  // namespace btc
