#include "comm/communicator.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <limits>
#include <utility>

#include "comm/mpi_check.hpp"
#include "common/error.hpp"

namespace btc {
namespace {

static_assert(kMessagePartBytes <= kMaxMpiCount);

int query(MPI_Comm comm, int (*function)(MPI_Comm, int*), std::string_view call) {
  int value = 0;
  mpi_check(function(comm, &value), call);
  return value;
}

/// Calls `part(first, count)` for consecutive pieces of at most `limit`; once, with 0, for nothing.
template <typename Part>
void for_each_part(std::size_t total, std::size_t limit, const Part& part) {
  BTC_CHECK(limit > 0 && limit <= kMaxMpiCount, "part of ", limit);
  std::size_t first = 0;
  do {
    const std::size_t count = std::min(limit, total - first);
    part(first, static_cast<int>(count));
    first += count;
  } while (first < total);
}

}  // namespace

MpiEnvironment::MpiEnvironment() {
  int provided = MPI_THREAD_SINGLE;
  mpi_check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
  BTC_REQUIRE(MpiError, provided == MPI_THREAD_MULTIPLE, library_version(),
              ": built without MPI_THREAD_MULTIPLE (level ", provided, "), which is needed");
}

MpiEnvironment::~MpiEnvironment() {
  if (std::uncaught_exceptions() > 0) {
    abort(1);
  }
  MPI_Finalize();
}

void MpiEnvironment::abort(int code) {
  MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);
}

std::string MpiEnvironment::library_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  mpi_check(MPI_Get_library_version(text.data(), &length), "MPI_Get_library_version");
  return {text.data(), static_cast<std::size_t>(length)};
}

struct Communicator::State {
  State(MPI_Comm handle, bool is_owned)
      : comm(handle),
        owned(is_owned),
        rank(query(handle, MPI_Comm_rank, "MPI_Comm_rank")),
        size(query(handle, MPI_Comm_size, "MPI_Comm_size")) {}
  ~State() {
    if (owned) {
      MPI_Comm_free(&comm);
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void check_peer(int peer) const {
    BTC_REQUIRE(MpiError, peer >= 0 && peer < size, "rank ", peer, ": expected 0 to ", size - 1);
  }

  MPI_Comm comm;
  bool owned;
  int rank;
  int size;
};

Communicator::Communicator(std::unique_ptr<State> state) : state_(std::move(state)) {}
Communicator::~Communicator() = default;
Communicator::Communicator(Communicator&&) noexcept = default;
Communicator& Communicator::operator=(Communicator&&) noexcept = default;

Communicator Communicator::world() {
  return Communicator(std::make_unique<State>(MPI_COMM_WORLD, false));
}

Communicator Communicator::duplicate() const {
  MPI_Comm copy = MPI_COMM_NULL;
  mpi_check(MPI_Comm_dup(state_->comm, &copy), "MPI_Comm_dup");
  return Communicator(std::make_unique<State>(copy, true));
}

int Communicator::rank() const { return state_->rank; }

int Communicator::size() const { return state_->size; }

int Communicator::local_rank() const {
  MPI_Comm node = MPI_COMM_NULL;
  mpi_check(MPI_Comm_split_type(state_->comm, MPI_COMM_TYPE_SHARED, rank(), MPI_INFO_NULL, &node),
            "MPI_Comm_split_type");
  return Communicator(std::make_unique<State>(node, true)).rank();
}

std::vector<std::string> Communicator::host_names() const {
  std::array<char, MPI_MAX_PROCESSOR_NAME> name{};
  int length = 0;
  mpi_check(MPI_Get_processor_name(name.data(), &length), "MPI_Get_processor_name");
  return all_gather(std::string(name.data(), static_cast<std::size_t>(length)));
}

void Communicator::barrier() const { mpi_check(MPI_Barrier(state_->comm), "MPI_Barrier"); }

std::string Communicator::broadcast(std::string text) const {
  std::uint64_t size_of_text = text.size();
  mpi_check(MPI_Bcast(&size_of_text, 1, MPI_UINT64_T, 0, state_->comm), "MPI_Bcast");
  text.resize(size_of_text);
  for_each_part(text.size(), kMaxMpiCount, [&](std::size_t first, int count) {
    mpi_check(MPI_Bcast(text.data() + first, count, MPI_BYTE, 0, state_->comm), "MPI_Bcast");
  });
  return text;
}

void Communicator::all_reduce_sum(std::span<std::uint64_t> values) const {
  for_each_part(values.size(), kMaxMpiCount / sizeof(std::uint64_t),
                [&](std::size_t first, int count) {
                  mpi_check(MPI_Allreduce(MPI_IN_PLACE, values.data() + first, count, MPI_UINT64_T,
                                          MPI_SUM, state_->comm),
                            "MPI_Allreduce");
                });
}

std::int64_t Communicator::all_reduce_max(std::int64_t value) const {
  mpi_check(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, MPI_MAX, state_->comm),
            "MPI_Allreduce");
  return value;
}

std::vector<std::string> Communicator::all_gather(const std::string& text) const {
  const auto ranks = static_cast<std::size_t>(size());
  const std::uint64_t own = text.size();
  std::vector<std::uint64_t> sizes(ranks);
  mpi_check(MPI_Allgather(&own, 1, MPI_UINT64_T, sizes.data(), 1, MPI_UINT64_T, state_->comm),
            "MPI_Allgather");
  std::vector<int> counts(ranks);
  std::vector<int> offsets(ranks);
  std::uint64_t total = 0;
  for (std::size_t r = 0; r < ranks; ++r) {
    // All ranks see the same sizes, so all of them throw or none.
    BTC_REQUIRE(MpiError, sizes[r] <= kMaxMpiCount - total, "texts of ", ranks,
                " ranks are longer than ", kMaxMpiCount, " bytes together");
    counts[r] = static_cast<int>(sizes[r]);
    offsets[r] = static_cast<int>(total);
    total += sizes[r];
  }
  std::vector<std::string> texts(ranks);
  if (total == 0) {
    return texts;
  }
  std::string joined(total, '\0');
  mpi_check(MPI_Allgatherv(text.data(), static_cast<int>(own), MPI_BYTE, joined.data(),
                           counts.data(), offsets.data(), MPI_BYTE, state_->comm),
            "MPI_Allgatherv");
  for (std::size_t r = 0; r < ranks; ++r) {
    texts[r] = joined.substr(static_cast<std::size_t>(offsets[r]), sizes[r]);
  }
  return texts;
}

void Communicator::send(int to, int tag, std::span<const std::byte> bytes,
                        std::size_t part_bytes) const {
  state_->check_peer(to);
  for_each_part(bytes.size(), part_bytes, [&](std::size_t first, int count) {
    mpi_check(MPI_Send(bytes.data() + first, count, MPI_BYTE, to, tag, state_->comm), "MPI_Send");
  });
}

void Communicator::receive(int from, int tag, std::span<std::byte> bytes,
                           std::size_t part_bytes) const {
  state_->check_peer(from);
  for_each_part(bytes.size(), part_bytes, [&](std::size_t first, int count) {
    MPI_Message message = MPI_MESSAGE_NULL;
    MPI_Status status;
    mpi_check(MPI_Mprobe(from, tag, state_->comm, &message, &status), "MPI_Mprobe");
    int found = 0;
    mpi_check(MPI_Get_count(&status, MPI_BYTE, &found), "MPI_Get_count");
    BTC_REQUIRE(MpiError, found == count, "message ", tag, " from rank ", from, ": ", found,
                " bytes at byte ", first, ", expected ", count);
    mpi_check(MPI_Mrecv(bytes.data() + first, count, MPI_BYTE, &message, &status), "MPI_Mrecv");
  });
}

const void* Communicator::handle() const { return &state_->comm; }

}  // namespace btc
