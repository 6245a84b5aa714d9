#pragma once
/// A stream of its own for the messages of a rank.

#include "cuda/runtime/check.cuh"

namespace btc::cuda {

class DeviceStream {
 public:
  /// @throws DeviceError if there is no such device
  explicit DeviceStream(int device) : device_(device) {
    make_current();
    BTC_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  }
  ~DeviceStream() { cudaStreamDestroy(stream_); }
  DeviceStream(const DeviceStream&) = delete;
  DeviceStream& operator=(const DeviceStream&) = delete;

  [[nodiscard]] cudaStream_t get() const { return stream_; }
  /// Makes the device current for the calling thread.
  void make_current() const { BTC_CUDA(cudaSetDevice(device_)); }

 private:
  int device_;
  cudaStream_t stream_ = nullptr;
};

}  // namespace btc::cuda
