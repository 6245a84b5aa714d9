#pragma once
/// Which calibration sequences are trained on, and in which order.

#include <cstddef>
#include <cstdint>
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

}  // namespace btc
