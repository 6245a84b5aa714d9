#pragma once
/// What the probes of a device share: checks, medians by events, and the printed table.

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace btc::probe {

inline constexpr int kRepetitions = 21;

inline void check(cudaError_t code, const char* call) {
  if (code != cudaSuccess) {
    throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(code));
  }
}

}  // namespace btc::probe

#define PROBE_CUDA(call) ::btc::probe::check((call), #call)

namespace btc::probe {

/// What the shapes of the probes depend on.
struct Device {
  int capability = 0;  ///< 90 for 9.0
  int multiprocessors = 0;
  std::size_t l2_bytes = 0;
  cudaStream_t stream = nullptr;
};

/// `size` elements on the device. Move-only.
template <typename T>
class Memory {
 public:
  explicit Memory(std::size_t size) : size_(size) {
    PROBE_CUDA(cudaMalloc(reinterpret_cast<void**>(&data_), size * sizeof(T)));
  }
  explicit Memory(const std::vector<T>& values) : Memory(values.size()) {
    PROBE_CUDA(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~Memory() { cudaFree(data_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// Elements [begin, begin + count).
  [[nodiscard]] std::vector<T> values(std::size_t begin, std::size_t count) const {
    std::vector<T> result(count);
    PROBE_CUDA(cudaMemcpy(result.data(), data_ + begin, count * sizeof(T), cudaMemcpyDeviceToHost));
    return result;
  }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Milliseconds between two events around `call`, which works on the stream.
template <typename Call>
double milliseconds(const Device& device, Call call) {
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  PROBE_CUDA(cudaEventCreate(&begin));
  PROBE_CUDA(cudaEventCreate(&end));
  PROBE_CUDA(cudaEventRecord(begin, device.stream));
  call();
  PROBE_CUDA(cudaGetLastError());
  PROBE_CUDA(cudaEventRecord(end, device.stream));
  PROBE_CUDA(cudaEventSynchronize(end));
  float elapsed = 0.0F;
  PROBE_CUDA(cudaEventElapsedTime(&elapsed, begin, end));
  PROBE_CUDA(cudaEventDestroy(begin));
  PROBE_CUDA(cudaEventDestroy(end));
  return static_cast<double>(elapsed);
}

/// Median of `kRepetitions` after two that warm up.
template <typename Call>
double median_milliseconds(const Device& device, Call call) {
  milliseconds(device, call);
  milliseconds(device, call);
  std::vector<double> times;
  for (int i = 0; i < kRepetitions; ++i) {
    times.push_back(milliseconds(device, call));
  }
  return median(times);
}

/// How many loops of a kernel take about two milliseconds. @param run starts it with so many loops
template <typename Run>
int loops_for_measurement(const Device& device, Run run) {
  constexpr int kFirst = 256;
  constexpr double kWanted = 2.0;
  milliseconds(device, [&] { run(kFirst); });
  const double least = std::max(milliseconds(device, [&] { run(kFirst); }), 0.002);
  return std::clamp(static_cast<int>(kFirst * kWanted / least), kFirst, 1 << 20);
}

/// A captured sequence of work on the stream, ready to be replayed.
class Graph {
 public:
  template <typename Call>
  Graph(const Device& device, Call call) : stream_(device.stream) {
    cudaGraph_t graph = nullptr;
    PROBE_CUDA(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed));
    call();
    PROBE_CUDA(cudaStreamEndCapture(stream_, &graph));
    PROBE_CUDA(cudaGraphInstantiate(&executable_, graph, 0));
    PROBE_CUDA(cudaGraphDestroy(graph));
  }
  ~Graph() { cudaGraphExecDestroy(executable_); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void replay() const { PROBE_CUDA(cudaGraphLaunch(executable_, stream_)); }

 private:
  cudaStream_t stream_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

/// @throws std::runtime_error unless `correct`
inline void require(bool correct, const std::string& what) {
  if (!correct) {
    throw std::runtime_error(what + ": the result is wrong");
  }
}

/// The probes; each prints one Markdown table.
void print_mma_rates(const Device& device);
void print_wgmma_rates(const Device& device);
void print_lookup_rates(const Device& device);
void print_matmul_rates(const Device& device);
void print_copy_rates(const Device& device);

}  // namespace btc::probe
