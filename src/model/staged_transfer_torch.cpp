#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/Event.h>
#include <c10/core/TensorOptions.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <vector>

#include "model/staged_transfer.hpp"
#include "model/transformer.hpp"

namespace btc {
namespace {

/// Entries of the largest piece (32 MiB): a sequence of 2048 tokens and 4096 channels is one.
constexpr std::int64_t kPiece = std::int64_t{8} << 20U;

/// Rows [begin, begin + count) of a matrix.
struct Piece {
  std::int64_t begin = 0;
  std::int64_t count = 0;
  [[nodiscard]] at::Tensor of(const at::Tensor& matrix) const {
    return matrix.narrow(0, begin, count);
  }
};

/// From the top to the bottom; at least a row each.
std::vector<Piece> pieces_of(const at::Tensor& matrix) {
  const std::int64_t rows = matrix.size(0);
  const std::int64_t most =
      std::max<std::int64_t>(1, kPiece / std::max<std::int64_t>(1, matrix.size(1)));
  std::vector<Piece> pieces;
  for (std::int64_t begin = 0; begin < rows; begin += most) {
    pieces.push_back({begin, std::min(most, rows - begin)});
  }
  return pieces;
}

/// Pinned memory for one piece.
class PinnedBuffer {
 public:
  /// A tensor of this shape in it. @pre nothing copies from or to it
  at::Tensor shaped(c10::IntArrayRef shape) {
    const std::int64_t entries = shape[0] * shape[1];
    if (!memory_.defined() || memory_.numel() < entries) {
      memory_ = at::empty({entries}, at::TensorOptions(at::kFloat).pinned_memory(true));
    }
    return memory_.narrow(0, 0, entries).view(shape);
  }
  /// `wait` will wait for what stands in the current stream of the device by now.
  void mark(c10::Device device) {
    reached_.record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
  }
  /// Returns at once if nothing was marked.
  void wait() const { reached_.synchronize(); }

 private:
  at::Tensor memory_;  // [entries]; undefined until it is needed
  c10::Event reached_{c10::kCUDA};
};

/// A piece on its way from a device, in a buffer.
struct Landing {
  const PinnedBuffer* buffer = nullptr;
  at::Tensor staged, target;  ///< in the buffer, and where it goes
  void finish() const {
    if (buffer != nullptr) {
      buffer->wait();
      target.copy_(staged);
    }
  }
};

}  // namespace

struct StagedTransfer::State {
  TorchPlace place;
  std::vector<PinnedBuffer> buffers;  ///< two; none on the CPU
  std::size_t turn = 0;               ///< of the next piece

  PinnedBuffer& next_buffer() {
    PinnedBuffer& buffer = buffers.at(turn);
    turn = (turn + 1) % buffers.size();
    buffer.wait();
    return buffer;
  }
};

StagedTransfer::StagedTransfer(TorchPlace place) : state_(std::make_unique<State>()) {
  state_->place = place;
  if (place.on_device()) {
    state_->buffers.resize(2);
  }
}
StagedTransfer::~StagedTransfer() = default;
StagedTransfer::StagedTransfer(StagedTransfer&&) noexcept = default;
StagedTransfer& StagedTransfer::operator=(StagedTransfer&&) noexcept = default;

at::Tensor StagedTransfer::send(MatrixView<const float> matrix) {
  at::Tensor from = borrow(matrix);
  if (!state_->place.on_device()) {
    return from;
  }
  at::Tensor to = at::empty(from.sizes(), options_at(state_->place));
  for (const Piece& piece : pieces_of(from)) {
    PinnedBuffer& buffer = state_->next_buffer();
    const at::Tensor source = piece.of(from);
    const at::Tensor staged = buffer.shaped(source.sizes());
    staged.copy_(source);
    piece.of(to).copy_(staged, /*non_blocking=*/true);
    buffer.mark(to.device());
  }
  return to;
}

void StagedTransfer::receive(const at::Tensor& tensor, MatrixView<float> matrix) {
  const at::Tensor to = borrow(matrix);
  BTC_CHECK(tensor.sizes() == to.sizes(), "tensor of another shape than the matrix");
  if (!state_->place.on_device()) {
    to.copy_(tensor);
    return;
  }
  Landing last;
  for (const Piece& piece : pieces_of(to)) {
    PinnedBuffer& buffer = state_->next_buffer();
    const at::Tensor source = piece.of(tensor);
    const at::Tensor staged = buffer.shaped(source.sizes());
    staged.copy_(source, /*non_blocking=*/true);
    buffer.mark(tensor.device());
    last.finish();  // while the device copies this one
    last = {&buffer, staged, piece.of(to)};
  }
  last.finish();
}

}  // namespace btc
