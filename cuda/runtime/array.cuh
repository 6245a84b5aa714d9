#pragma once
/// Memory of the device that frees itself, and copies to and from it, all in stream order.

#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/matrix.hpp"
#include "cuda/runtime/context.cuh"

namespace btc::cuda {

/// `size` elements on the device, uninitialised. Move-only.
template <typename T>
class DeviceArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  DeviceArray() = default;
  DeviceArray(const Context& context, std::size_t size) : DeviceArray(context.stream(), size) {}
  DeviceArray(cudaStream_t stream, std::size_t size) : stream_(stream), size_(size) {
    if (size > 0) {
      BTC_CUDA(cudaMallocAsync(reinterpret_cast<void**>(&data_), size * sizeof(T), stream_));
    }
  }
  /// A copy of `values`; they may be freed when the constructor returns.
  DeviceArray(const Context& context, std::span<const T> values)
      : DeviceArray(context, values.size()) {
    upload(values);
  }
  DeviceArray(const Context& context, const std::vector<T>& values)
      : DeviceArray(context, std::span<const T>(values)) {}
  ~DeviceArray() {
    if (data_ != nullptr) {
      cudaFreeAsync(data_, stream_);
    }
  }
  DeviceArray(DeviceArray&& other) noexcept { swap(other); }
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    swap(other);
    return *this;
  }

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::span<T> span() const { return {data_, size_}; }
  void fill_bytes(int byte) {
    if (size_ > 0) {
      BTC_CUDA(cudaMemsetAsync(data_, byte, size_ * sizeof(T), stream_));
    }
  }
  /// @pre values.size() == size()
  void upload(std::span<const T> values) {
    if (size_ > 0) {
      BTC_CUDA(cudaMemcpyAsync(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice,
                               stream_));
    }
  }
  /// Starts a copy to `values` [size]; complete after `Context::wait`.
  void download(std::span<T> values) const {
    if (size_ > 0) {
      BTC_CUDA(cudaMemcpyAsync(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost,
                               stream_));
    }
  }
  /// The values, complete.
  [[nodiscard]] std::vector<T> to_vector() const {
    std::vector<T> values(size_);
    download(values);
    BTC_CUDA(cudaStreamSynchronize(stream_));
    return values;
  }

 private:
  void swap(DeviceArray& other) noexcept {
    std::swap(stream_, other.stream_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  cudaStream_t stream_ = nullptr;
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Row-major [rows, cols] on the device, rows without gaps.
template <typename T>
class DeviceMatrix {
 public:
  DeviceMatrix() = default;
  DeviceMatrix(const Context& context, std::size_t rows, std::size_t cols)
      : array_(context, rows * cols), stream_(context.stream()), rows_(rows), cols_(cols) {}
  /// A copy of `values`, also of a view with gaps; they may be freed when the constructor returns.
  DeviceMatrix(const Context& context, MatrixView<const T> values)
      : DeviceMatrix(context, values.rows(), values.cols()) {
    if (values.stride() == cols_ || rows_ <= 1) {
      array_.upload({values.data(), array_.size()});
    } else if (array_.size() > 0) {
      BTC_CUDA(cudaMemcpy2DAsync(array_.data(), cols_ * sizeof(T), values.data(),
                                 values.stride() * sizeof(T), cols_ * sizeof(T), rows_,
                                 cudaMemcpyHostToDevice, stream_));
    }
  }
  DeviceMatrix(const Context& context, const Matrix<T>& values)
      : DeviceMatrix(context, values.view()) {}

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t cols() const { return cols_; }
  [[nodiscard]] DeviceArray<T>& array() { return array_; }
  [[nodiscard]] MatrixView<T> view() const { return {array_.data(), rows_, cols_}; }
  /// The values, complete.
  [[nodiscard]] Matrix<T> to_matrix() const {
    Matrix<T> values(rows_, cols_);
    array_.download(values.values());
    BTC_CUDA(cudaStreamSynchronize(stream_));
    return values;
  }

 private:
  DeviceArray<T> array_;
  cudaStream_t stream_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
};

/// A copy without gaps of a view on the device.
template <typename T>
DeviceMatrix<T> packed(const Context& context, MatrixView<const T> view) {
  DeviceMatrix<T> result(context, view.rows(), view.cols());
  const std::size_t row_bytes = view.cols() * sizeof(T);
  if (view.rows() * row_bytes > 0) {
    BTC_CUDA(cudaMemcpy2DAsync(result.view().data(), row_bytes, view.data(),
                               view.stride() * sizeof(T), row_bytes, view.rows(),
                               cudaMemcpyDeviceToDevice, context.stream()));
  }
  return result;
}

}  // namespace btc::cuda
