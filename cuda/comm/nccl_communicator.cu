#include <nccl.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <optional>
#include <thread>

#include "comm/agree.hpp"
#include "common/error.hpp"
#include "cuda/comm/communicators.hpp"
#include "cuda/comm/device_stream.cuh"
#include "cuda/runtime/array.cuh"

namespace btc::cuda {
namespace {

using std::chrono::steady_clock;

/// Longest wait for all ranks to join, or to leave.
constexpr std::chrono::seconds kMeetingLimit{120};
/// Between two looks at the communicator's state.
constexpr std::chrono::microseconds kPause{20};

/// Most counts that are on the device at once: 32 MiB.
constexpr std::size_t kSumWords = std::size_t{1} << 22U;

std::string unique_id() {
  ncclUniqueId id;
  const ncclResult_t code = ncclGetUniqueId(&id);
  BTC_REQUIRE(DeviceError, code == ncclSuccess, "ncclGetUniqueId: ", ncclGetErrorString(code), ": ",
              ncclGetLastError(nullptr));
  return {id.internal, sizeof id.internal};
}

/// No call of NCCL blocks: its state is asked for until the work is done, so that an error on the
/// way (a lost peer) becomes an exception. After one, the communicator is aborted and of no use.
class NcclCommunicator final : public DeviceCommunicator {
 public:
  /// Collective. @param id of rank 0
  NcclCommunicator(int rank, int size, int device, const std::string& id)
      : NcclCommunicator(rank, size, device) {
    ncclUniqueId unique;
    BTC_CHECK(id.size() == sizeof unique.internal, "an id of ", id.size(), " bytes");
    std::memcpy(unique.internal, id.data(), id.size());
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    settle(ncclCommInitRankConfig(&comm_, size, unique, rank, &config), "ncclCommInitRank",
           steady_clock::now() + kMeetingLimit);
  }
  ~NcclCommunicator() override {
    if (comm_ == nullptr) {
      return;
    }
    if (std::uncaught_exceptions() == 0 && finalized()) {
      ncclCommDestroy(comm_);
    } else {
      ncclCommAbort(comm_);
    }
  }
  NcclCommunicator(const NcclCommunicator&) = delete;
  NcclCommunicator& operator=(const NcclCommunicator&) = delete;

  [[nodiscard]] std::string description() const override {
    return "NCCL " + nccl_version() + ": every rank has its own device";
  }
  void send(int to, const void* data, std::size_t bytes) override {
    begin(to);
    if (bytes > 0) {
      settle(ncclSend(data, bytes, ncclUint8, to, comm_, stream_.get()), "ncclSend");
      wait("ncclSend");
    }
  }
  void receive(int from, void* data, std::size_t bytes) override {
    begin(from);
    if (bytes > 0) {
      settle(ncclRecv(data, bytes, ncclUint8, from, comm_, stream_.get()), "ncclRecv");
      wait("ncclRecv");
    }
  }
  void all_reduce_sum(std::span<std::uint64_t> values) override {
    begin(std::nullopt);
    for (std::size_t first = 0; first < values.size(); first += kSumWords) {
      sum_part(values.subspan(first, std::min(kSumWords, values.size() - first)));
    }
  }

 private:
  NcclCommunicator(int rank, int size, int device) : rank_(rank), size_(size), stream_(device) {}

  void sum_part(std::span<std::uint64_t> values) {
    DeviceArray<std::uint64_t> words(stream_.get(), values.size());
    words.upload(values);
    settle(ncclAllReduce(words.data(), words.data(), words.size(), ncclUint64, ncclSum, comm_,
                         stream_.get()),
           "ncclAllReduce");
    wait("ncclAllReduce");  // before a copy that would wait for ever if a peer were lost
    words.download(values);
    BTC_CUDA(cudaStreamSynchronize(stream_.get()));
  }

  void begin(std::optional<int> peer) {
    BTC_REQUIRE(DeviceError, comm_ != nullptr, "NCCL failed before; it takes no further call");
    BTC_REQUIRE(DeviceError, !peer || (*peer >= 0 && *peer < size_ && *peer != rank_), "rank ",
                peer.value_or(0), ": expected another one of 0 to ", size_ - 1);
    stream_.make_current();
  }

  /// Asks until what was begun is under way. @param until no limit where the peer may be busy
  void settle(ncclResult_t code, const char* call,
              std::optional<steady_clock::time_point> until = std::nullopt) {
    while (code == ncclInProgress) {
      if (until && steady_clock::now() > *until) {
        fail("not all ranks came within two minutes", call);
      }
      std::this_thread::sleep_for(kPause);
      code = state();
    }
    if (code != ncclSuccess) {
      fail(ncclGetErrorString(code), call);
    }
  }

  /// Waits until the stream is empty, or the communicator has an error.
  void wait(const char* call) {
    for (;;) {
      const cudaError_t code = cudaStreamQuery(stream_.get());
      if (code == cudaSuccess) {
        return;
      }
      if (code != cudaErrorNotReady) {
        fail(cudaGetErrorString(code), call);
      }
      cudaGetLastError();  // or the next launch would report that the stream was not ready
      const ncclResult_t result = state();
      if (result != ncclSuccess && result != ncclInProgress) {
        fail(ncclGetErrorString(result), call);
      }
      std::this_thread::sleep_for(kPause);
    }
  }

  [[nodiscard]] ncclResult_t state() const {
    ncclResult_t result = ncclSuccess;
    const ncclResult_t code = ncclCommGetAsyncError(comm_, &result);
    return code == ncclSuccess ? result : code;
  }

  [[noreturn]] void fail(const char* reason, const char* call) {
    const std::string text = concat(call, ": ", reason, ": ", ncclGetLastError(comm_));
    if (comm_ != nullptr) {
      ncclCommAbort(comm_);
      comm_ = nullptr;
    }
    throw DeviceError(text);
  }

  /// Waits for what is under way on all ranks.
  [[nodiscard]] bool finalized() const {
    const auto until = steady_clock::now() + kMeetingLimit;
    ncclResult_t code = ncclCommFinalize(comm_);
    while (code == ncclInProgress && steady_clock::now() < until) {
      std::this_thread::sleep_for(kPause);
      code = state();
    }
    return code == ncclSuccess;
  }

  int rank_;
  int size_;
  DeviceStream stream_;
  ncclComm_t comm_ = nullptr;
};

}  // namespace

std::string nccl_version() {
  int version = 0;
  if (ncclGetVersion(&version) != ncclSuccess) {
    return "of unknown version";
  }
  return concat(version / 10000, ".", version / 100 % 100, ".", version % 100);
}

std::unique_ptr<DeviceCommunicator> make_nccl(const Communicator& comm, int device) {
  std::string id;
  agree(comm, "NCCL", [&] { id = comm.rank() == 0 ? unique_id() : ""; });
  id = comm.broadcast(id);
  std::unique_ptr<DeviceCommunicator> result;
  agree(comm, "NCCL",
        [&] { result = std::make_unique<NcclCommunicator>(comm.rank(), comm.size(), device, id); });
  return result;
}

}  // namespace btc::cuda
