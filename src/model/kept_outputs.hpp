#pragma once
/// Outputs of a block that stays as it is, for sequences that come again and again.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "common/matrix.hpp"
#include "model/block_forward.hpp"

namespace btc {

/// Bytes of kept outputs on the CPU.
inline constexpr std::uint64_t kKeptOnCpu = std::uint64_t{1} << 30U;

/// Sums of squares over the tokens and channels of a sequence, in fp64.
struct OutputSquares {
  double error = 0;  ///< of what another output differs by
  double added = 0;  ///< of what the block adds to its input
};

/// Runs the block once for each sequence, as long as there is memory for what comes out. What is
/// kept has the bits of a run; what is not finite is never kept.
class KeptOutputs {
 public:
  /// @param most_bytes of all that is kept
  KeptOutputs(BlockForward block, std::uint64_t most_bytes);
  /// Keeps `kKeptOnCpu`; on a device half of what is free now, as long as the other half stays
  /// free.
  explicit KeptOutputs(BlockForward block);
  ~KeptOutputs();
  KeptOutputs(KeptOutputs&&) noexcept;
  KeptOutputs& operator=(KeptOutputs&&) noexcept;

  [[nodiscard]] const TorchPlace& place() const;
  /// How many sequences have been run so far, each time counted.
  [[nodiscard]] std::size_t runs() const;
  /// @param sequence its number, with the same `input` [T, hidden] every time
  /// @param present another block, at the same place
  /// @param channel_weights of the square of every output channel [hidden]; empty: all are 1
  [[nodiscard]] OutputSquares compare(std::size_t sequence, MatrixView<const float> input,
                                      const BlockForward& present,
                                      std::span<const float> channel_weights);

  /// For this module: output [T, hidden] for `input`, both at the place of the block.
  [[nodiscard]] at::Tensor of(std::size_t sequence, const at::Tensor& input);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace btc
