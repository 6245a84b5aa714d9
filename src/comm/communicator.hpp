#pragma once
/// MPI behind values and spans. Errors are fatal inside MPI (there is no survival in it); every
/// call that can be checked throws `MpiError`.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace btc {

/// Most bytes that one message carries; longer ones are sent in parts.
inline constexpr std::size_t kMessagePartBytes = std::size_t{1} << 30U;

/// MPI_Init_thread(MULTIPLE) and MPI_Finalize. One object, alive as long as main.
class MpiEnvironment {
 public:
  /// @throws MpiError if the library cannot be called from several threads
  MpiEnvironment();
  /// Finalizes. While an exception unwinds, ends all ranks instead: the others do not come here.
  ~MpiEnvironment();
  MpiEnvironment(const MpiEnvironment&) = delete;
  MpiEnvironment& operator=(const MpiEnvironment&) = delete;
  /// Ends all ranks with this exit code. Does not return.
  [[noreturn]] static void abort(int code);
  /// `Open MPI v4.1.4, ...`.
  static std::string library_version();
};

/// A group of ranks. Move-only; owns its MPI_Comm unless it is the world.
class Communicator {
 public:
  /// All ranks. @pre an MpiEnvironment exists
  static Communicator world();
  /// Collective: the same ranks with a message space of their own.
  [[nodiscard]] Communicator duplicate() const;
  ~Communicator();
  Communicator(Communicator&&) noexcept;
  Communicator& operator=(Communicator&&) noexcept;

  [[nodiscard]] int rank() const;
  [[nodiscard]] int size() const;
  /// Rank among the ranks of this node. Collective.
  [[nodiscard]] int local_rank() const;
  /// Host name of every rank. Collective.
  [[nodiscard]] std::vector<std::string> host_names() const;

  /// From here to `all_gather`: collective.
  void barrier() const;
  /// Text of rank 0 on all ranks.
  [[nodiscard]] std::string broadcast(std::string text) const;
  /// Sums in place over all ranks. Integers only: the sum does not depend on the rank count.
  void all_reduce_sum(std::span<std::uint64_t> values) const;
  [[nodiscard]] std::int64_t all_reduce_max(std::int64_t value) const;
  /// One text per rank, in rank order, on every rank.
  [[nodiscard]] std::vector<std::string> all_gather(const std::string& text) const;
  /// Blocking point-to-point, of any size, in parts of `part_bytes` (the same on both sides).
  void send(int to, int tag, std::span<const std::byte> bytes,
            std::size_t part_bytes = kMessagePartBytes) const;
  /// @throws MpiError naming both sizes if the message is not as long as `bytes`
  void receive(int from, int tag, std::span<std::byte> bytes,
               std::size_t part_bytes = kMessagePartBytes) const;
  /// The MPI_Comm, for io/hdf5_parallel_file and nobody else; points to an MPI_Comm.
  [[nodiscard]] const void* handle() const;

 private:
  struct State;
  explicit Communicator(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace btc
