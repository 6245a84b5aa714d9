#include "refine/sequence_order.hpp"

#include <algorithm>
#include <utility>

#include "common/error.hpp"
#include "common/matrix.hpp"
#include "common/rng.hpp"
#include "refine/adam.hpp"

namespace btc {

SequenceSplit split_sequences(std::size_t sequences) {
  constexpr std::size_t kHeldOutShare = 8;
  BTC_CHECK(sequences > 0, "no sequences");
  SequenceSplit split;
  const std::size_t held_out = ceil_div(sequences, kHeldOutShare);
  const std::size_t training = std::max<std::size_t>(sequences - held_out, 1);
  for (std::size_t s = 0; s < sequences; ++s) {
    if (s < training) {
      split.training.push_back(s);
    }
    if (s >= sequences - held_out) {
      split.held_out.push_back(s);
    }
  }
  return split;
}

std::vector<std::size_t> shuffled(std::vector<std::size_t> training, std::uint64_t seed,
                                  int epoch) {
  Rng rng(derive_seed(seed, "order", static_cast<std::uint64_t>(epoch)));
  for (std::size_t i = training.size(); i > 1; --i) {
    std::swap(training[i - 1], training[rng.below(i)]);
  }
  return training;
}

void for_each_step(
    std::size_t sequences, int batch, int epoch, int epochs,
    const std::function<void(std::size_t first, std::size_t count, double share)>& step) {
  const auto size = static_cast<std::size_t>(batch);
  const auto steps = static_cast<std::int64_t>(ceil_div(sequences, size));
  for (std::size_t first = 0; first < sequences; first += size) {
    const std::int64_t number = epoch * steps + static_cast<std::int64_t>(first / size);
    step(first, std::min(size, sequences - first), cosine_share(number, steps * epochs));
  }
}

}  // namespace btc
