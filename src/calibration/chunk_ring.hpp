#pragma once
/// Reads the chunks of a file ahead of their consumer, in a thread of its own.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace btc {

/// Chunk after chunk of u16 values, each checked against its XXH3-64, at most `slots` in memory.
/// Consumed by one thread. The destructor ends the reading at the next chunk.
class ChunkRing {
 public:
  struct Source {
    std::filesystem::path path;
    int block = 0;                         ///< for error messages
    std::size_t values = 0;                ///< u16 values of a chunk
    std::vector<std::uint64_t> offsets;    ///< byte in the file of each chunk
    std::vector<std::uint64_t> checksums;  ///< one per chunk
    std::vector<std::size_t> sequences;    ///< its number in the file, for error messages
  };
  /// @throws IoError if the file cannot be opened
  ChunkRing(Source source, std::size_t slots);
  ~ChunkRing();
  ChunkRing(const ChunkRing&) = delete;
  ChunkRing& operator=(const ChunkRing&) = delete;

  /// Calls `use` with the next chunk, which is then given up.
  /// @throws FormatError or IoError at the chunk that could not be read; Error behind the last
  void consume(const std::function<void(std::span<const std::uint16_t>)>& use);

 private:
  void read_all();
  void read_chunk(std::size_t chunk, std::span<std::uint16_t> values) const;
  /// @return false if the reading is to end
  bool wait_for_free_slot(std::size_t chunk);

  /// Memory of one chunk, not initialised: the thread fills it.
  struct Free {
    void operator()(std::uint16_t* memory) const { std::free(memory); }
  };
  using Slot = std::unique_ptr<std::uint16_t, Free>;
  static Slot make_slot(std::size_t values);
  [[nodiscard]] std::span<std::uint16_t> slot_of(std::size_t chunk) const {
    return {slots_[chunk % slots_.size()].get(), source_.values};
  }

  Source source_;
  std::vector<Slot> slots_;
  int descriptor_ = -1;
  std::size_t consumed_ = 0;
  std::size_t filled_ = 0;  ///< chunks read so far; with the rest below behind `mutex_`
  bool stop_ = false;
  std::exception_ptr failure_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread reader_;
};

}  // namespace btc
