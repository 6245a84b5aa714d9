#pragma once
/// The only code that opens a file with the MPI-IO driver.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.hpp"
#include "io/hdf5_file.hpp"

namespace btc {

/// A new file that all ranks of a communicator write together, each its own rows of a dataset.
/// Construction, every method and destruction are collective (see `agree`): between them, code that
/// can throw on one rank alone runs inside `agree`. Errors are agreed: StageFailed on every rank.
class Hdf5ParallelFile {
 public:
  Hdf5ParallelFile(const Communicator& comm, const std::filesystem::path& path);
  ~Hdf5ParallelFile();
  Hdf5ParallelFile(const Hdf5ParallelFile&) = delete;
  Hdf5ParallelFile& operator=(const Hdf5ParallelFile&) = delete;

  /// Attributes of the root group ("/") or of a dataset; values equal on all ranks.
  void set_attribute(std::string_view object, std::string_view name, std::string_view value);
  void set_attribute(std::string_view object, std::string_view name, std::int64_t value);
  /// Chunks of `rows_per_chunk` rows of the leading dimension, fletcher32, no fill value. Ranks
  /// never write to one chunk at the same time.
  void create_dataset(std::string_view name, Hdf5Type type, const std::vector<std::size_t>& shape,
                      std::size_t rows_per_chunk = 1);
  /// Writes rows [first, first + count); a rank without rows passes count = 0.
  template <typename T>
  void write_rows(std::string_view name, std::size_t first, std::size_t count,
                  std::span<const T> values) {
    write_raw(name, hdf5_type<T>(), first, count, std::as_bytes(values));
  }
  /// Calls of `write_rows` so far that HDF5 reports as one collective transfer of all ranks. A call
  /// that ended otherwise has thrown.
  [[nodiscard]] std::size_t collective_writes() const;
  /// Closes the file on all ranks; rank 0 makes it durable and visible. @return its size in bytes
  std::size_t commit();

 private:
  struct State;
  void write_raw(std::string_view name, Hdf5Type type, std::size_t first, std::size_t count,
                 std::span<const std::byte> bytes);
  std::unique_ptr<State> state_;
};

}  // namespace btc
