#pragma once
/// Row-major matrices and views, and the helper for checked narrowing.

#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/error.hpp"

namespace btc {

/// Borrowed row-major matrix [rows, cols]; rows lie `stride` elements apart. Constexpr functions
/// run in CUDA kernels too.
template <typename T>
class MatrixView {
 public:
  MatrixView() = default;
  constexpr MatrixView(T* data, std::size_t rows, std::size_t cols, std::size_t stride)
      : data_(data), rows_(rows), cols_(cols), stride_(stride) {}
  constexpr MatrixView(T* data, std::size_t rows, std::size_t cols)
      : MatrixView(data, rows, cols, cols) {}
  /// A view of mutable elements is also a view of constant ones.
  constexpr operator MatrixView<const T>() const  // NOLINT(google-explicit-constructor)
      requires(!std::is_const_v<T>) {
    return {data_, rows_, cols_, stride_};
  }

  [[nodiscard]] constexpr std::size_t rows() const { return rows_; }
  [[nodiscard]] constexpr std::size_t cols() const { return cols_; }
  [[nodiscard]] constexpr std::size_t stride() const { return stride_; }
  [[nodiscard]] constexpr T* data() const { return data_; }
  [[nodiscard]] constexpr std::span<T> row(std::size_t i) const {
    return {data_ + i * stride_, cols_};
  }
  constexpr T& operator()(std::size_t i, std::size_t j) const { return data_[i * stride_ + j]; }
  /// Columns [begin, end) of all rows.
  [[nodiscard]] constexpr MatrixView columns(std::size_t begin, std::size_t end) const {
    return {data_ + begin, rows_, end - begin, stride_};
  }
  /// The sub-matrix of rows [r0, r1) and columns [c0, c1).
  [[nodiscard]] constexpr MatrixView sub(std::size_t r0, std::size_t r1, std::size_t c0,
                                         std::size_t c1) const {
    return {data_ + r0 * stride_ + c0, r1 - r0, c1 - c0, stride_};
  }

 private:
  T* data_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  std::size_t stride_ = 0;
};

/// Owning row-major matrix [rows, cols], elements value-initialised.
template <typename T>
class Matrix {
 public:
  Matrix() = default;
  Matrix(std::size_t rows, std::size_t cols, T value = T{})
      : rows_(rows), cols_(cols), values_(rows * cols, value) {}
  /// @pre values.size() == rows * cols
  Matrix(std::size_t rows, std::size_t cols, std::vector<T>&& values)
      : rows_(rows), cols_(cols), values_(std::move(values)) {
    BTC_CHECK(values_.size() == rows * cols, "matrix [", rows, ", ", cols, "] of ", values_.size(),
              " values");
  }

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t cols() const { return cols_; }
  [[nodiscard]] std::size_t size() const { return values_.size(); }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  [[nodiscard]] T* data() { return values_.data(); }
  [[nodiscard]] const T* data() const { return values_.data(); }
  [[nodiscard]] std::vector<T>& values() { return values_; }
  [[nodiscard]] const std::vector<T>& values() const { return values_; }
  T& operator()(std::size_t i, std::size_t j) { return values_[i * cols_ + j]; }
  const T& operator()(std::size_t i, std::size_t j) const { return values_[i * cols_ + j]; }
  [[nodiscard]] std::span<T> row(std::size_t i) { return {data() + i * cols_, cols_}; }
  [[nodiscard]] std::span<const T> row(std::size_t i) const { return {data() + i * cols_, cols_}; }
  [[nodiscard]] MatrixView<T> view() { return {data(), rows_, cols_}; }
  [[nodiscard]] MatrixView<const T> view() const { return {data(), rows_, cols_}; }
  bool operator==(const Matrix&) const = default;

 private:
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  std::vector<T> values_;
};

/// `value` as `To`; throws `Error` when it does not fit. The one place where integers narrow.
template <typename To, typename From>
To narrow(From value) {
  const auto result = static_cast<To>(value);
  BTC_CHECK(std::cmp_equal(result, value), "value ", value, " does not fit");
  return result;
}

/// ceil(a / b) for positive b.
constexpr std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

}  // namespace btc
