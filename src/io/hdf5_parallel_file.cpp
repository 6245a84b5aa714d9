#include "io/hdf5_parallel_file.hpp"

#include <mpi.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "comm/agree.hpp"
#include "common/error.hpp"
#include "io/atomic_file.hpp"
#include "io/hdf5_handle.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using hdf5::check;
using hdf5::checked_handle;
using hdf5::Handle;

}  // namespace

struct Hdf5ParallelFile::State {
  State(const Communicator& ranks, fs::path name)
      : comm(ranks.duplicate()), path(std::move(name)) {}
  ~State() {
    file.close();
    if (!temporary.empty() && comm.rank() == 0) {
      ::unlink(temporary.c_str());
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  [[nodiscard]] std::string where(std::string_view object) const {
    return concat(path.string(), ": ", object);
  }

  /// Opens the file by the MPI-IO driver, metadata written and read by all ranks together.
  void create() {
    const Handle access = hdf5::file_access();
    const Handle creation = hdf5::file_creation();
    const MPI_Comm handle = *static_cast<const MPI_Comm*>(comm.handle());
    check<IoError>(H5Pset_fapl_mpio(access.get(), handle, MPI_INFO_NULL), path.string());
    check<IoError>(H5Pset_all_coll_metadata_ops(access.get(), 1), path.string());
    check<IoError>(H5Pset_coll_metadata_write(access.get(), 1), path.string());
    file = checked_handle<IoError>(
        H5Fcreate(temporary.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose,
        path.string(), ": cannot create");
  }

  Communicator comm;
  fs::path path;
  fs::path temporary;  ///< empty after commit
  Handle file;
  std::size_t collective_writes = 0;
};

Hdf5ParallelFile::Hdf5ParallelFile(const Communicator& comm, const fs::path& path)
    : state_(std::make_unique<State>(comm, path)) {
  // The temporary name holds host and process id: that of rank 0 serves all.
  state_->temporary = comm.broadcast(temporary_path(path).string());
  agree(comm, "making a directory", [&] {
    if (comm.rank() == 0) {
      hdf5::make_directory_of(path);
    }
  });
  try {
    agree(comm, "creating a file", [&] { state_->create(); });
  } catch (const StageFailed&) {
    // Closing is collective too, and not every rank has the file.
    state_->file.release();
    throw;
  }
}

Hdf5ParallelFile::~Hdf5ParallelFile() = default;

void Hdf5ParallelFile::set_attribute(std::string_view object, std::string_view name,
                                     std::string_view value) {
  agree(state_->comm, "writing an attribute", [&] {
    const std::string where = state_->where(object);
    const Handle owner = hdf5::open_object(state_->file.get(), object, where);
    hdf5::write_attribute(owner.get(), name, value, where);
  });
}

void Hdf5ParallelFile::set_attribute(std::string_view object, std::string_view name,
                                     std::int64_t value) {
  agree(state_->comm, "writing an attribute", [&] {
    const std::string where = state_->where(object);
    const Handle owner = hdf5::open_object(state_->file.get(), object, where);
    hdf5::write_attribute(owner.get(), name, H5T_STD_I64LE, &value, where);
  });
}

void Hdf5ParallelFile::create_dataset(std::string_view name, Hdf5Type type,
                                      const std::vector<std::size_t>& shape,
                                      std::size_t rows_per_chunk) {
  agree(state_->comm, "creating a dataset", [&] {
    BTC_CHECK(!shape.empty(), state_->where(name), ": has no rows");
    std::vector<std::size_t> chunk = shape;
    chunk[0] = rows_per_chunk;
    hdf5::create_dataset(state_->file.get(), name, type, shape, {.chunk = std::move(chunk)},
                         state_->where(name));
  });
}

void Hdf5ParallelFile::write_raw(std::string_view name, Hdf5Type type, std::size_t first,
                                 std::size_t count, std::span<const std::byte> bytes) {
  const std::string where = state_->where(name);
  Handle dataset;
  Handle transfer;
  hdf5::RowSelection rows;
  // Arguments are agreed on first: a rank that refused its own would leave the others waiting.
  agree(state_->comm, "preparing a write", [&] {
    dataset = hdf5::open_dataset(state_->file.get(), name, type, where);
    rows = hdf5::select_rows(dataset, type, first, count, bytes.size(), where);
    transfer = checked_handle<IoError>(H5Pcreate(H5P_DATASET_XFER), H5Pclose, where);
    check<IoError>(H5Pset_dxpl_mpio(transfer.get(), H5FD_MPIO_COLLECTIVE), where);
  });
  agree(state_->comm, "writing", [&] {
    check<IoError>(H5Dwrite(dataset.get(), hdf5::type_id(type), rows.memory.get(), rows.file.get(),
                            transfer.get(), bytes.data()),
                   where, ": cannot write ", bytes.size(), " bytes at row ", first);
    H5D_mpio_actual_io_mode_t mode = H5D_MPIO_NO_COLLECTIVE;
    check<IoError>(H5Pget_mpio_actual_io_mode(transfer.get(), &mode), where);
    BTC_REQUIRE(IoError, mode == H5D_MPIO_CHUNK_COLLECTIVE, where,
                ": the transfer was not collective (mode ", static_cast<int>(mode), ")");
    check<IoError>(dataset.close(), where, ": cannot write at row ", first);
  });
  ++state_->collective_writes;
}

std::size_t Hdf5ParallelFile::collective_writes() const { return state_->collective_writes; }

std::size_t Hdf5ParallelFile::commit() {
  State& state = *state_;
  agree(state.comm, "closing a file", [&] {
    BTC_CHECK(state.file.valid(), state.path.string(), ": committed twice");
    check<IoError>(H5Fflush(state.file.get(), H5F_SCOPE_GLOBAL), state.path.string(),
                   ": cannot write");
    check<IoError>(state.file.close(), state.path.string(), ": cannot close");
  });
  std::int64_t size = 0;
  agree(state.comm, "committing a file", [&] {
    if (state.comm.rank() == 0) {
      size = static_cast<std::int64_t>(fs::file_size(state.temporary));
      commit_file(state.temporary, state.path);
    }
  });
  state.temporary.clear();
  return static_cast<std::size_t>(state.comm.all_reduce_max(size));
}

}  // namespace btc
