#include "cuda/comm/communicators.hpp"
#include "cuda/comm/device_stream.cuh"
#include "cuda/comm/mpi_communicators.hpp"

namespace btc::cuda {
namespace {

/// Long enough that a copy runs at the speed of the bus.
constexpr std::size_t kStagingBytes = std::size_t{16} << 20U;

struct FreePinned {
  void operator()(std::byte* memory) const { cudaFreeHost(memory); }
};

class PinnedCopier {
 public:
  explicit PinnedCopier(int device) : stream_(std::make_unique<DeviceStream>(device)) {
    void* memory = nullptr;
    BTC_CUDA(cudaMallocHost(&memory, kStagingBytes));
    buffer_.reset(static_cast<std::byte*>(memory));
  }
  [[nodiscard]] std::span<std::byte> buffer() const { return {buffer_.get(), kStagingBytes}; }
  void to_host(const std::byte* device, std::size_t bytes) const {
    copy(buffer_.get(), device, bytes, cudaMemcpyDeviceToHost);
  }
  void to_device(std::byte* device, std::size_t bytes) const {
    copy(device, buffer_.get(), bytes, cudaMemcpyHostToDevice);
  }

 private:
  void copy(std::byte* to, const std::byte* from, std::size_t bytes, cudaMemcpyKind kind) const {
    stream_->make_current();
    BTC_CUDA(cudaMemcpyAsync(to, from, bytes, kind, stream_->get()));
    BTC_CUDA(cudaStreamSynchronize(stream_->get()));
  }

  std::unique_ptr<DeviceStream> stream_;
  std::unique_ptr<std::byte, FreePinned> buffer_;
};

}  // namespace

std::unique_ptr<DeviceCommunicator> make_staged(Communicator comm, int device, std::string why) {
  return std::make_unique<StagedCommunicator<PinnedCopier>>(std::move(comm), PinnedCopier(device),
                                                            std::move(why));
}

}  // namespace btc::cuda
