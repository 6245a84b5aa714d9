#pragma once
/// Which calibration sequences are trained on, and in which order.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace btc {

/// Sequences to train on and to judge by, ascending.
struct SequenceSplit {
  std::vector<std::size_t> training, held_out;
};

/// Holds out the last eighth, rounded up. A single sequence serves for both.
SequenceSplit split_sequences(std::size_t sequences);

/// The training sequences in the order of one epoch: a shuffle by (seed, epoch).
std::vector<std::size_t> shuffled(std::vector<std::size_t> training, std::uint64_t seed, int epoch);

/// The steps of one of `epochs` passes over `sequences`, in batches; the last may be smaller.
/// @param step called with the first sequence of the batch, how many it has, and the share of the
///        learning rate that a cosine over all epochs leaves
void for_each_step(
    std::size_t sequences, int batch, int epoch, int epochs,
    const std::function<void(std::size_t first, std::size_t count, double share)>& step);

}  // namespace btc
