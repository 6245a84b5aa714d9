/// Matrices that go to a CUDA device and back, while it is busy with something else.

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>

#include <array>
#include <utility>
#include <vector>

#include "model/block_forward.hpp"
#include "model/staged_transfer.hpp"
#include "model/transformer.hpp"
#include "support/torch_device.hpp"

namespace btc {
namespace {

constexpr std::size_t kRows = 3000;  // 47 MiB, which is more than a buffer holds
constexpr std::size_t kCols = 4096;

/// Entry (i, j) of matrix number s: an integer below 2^24.
float entry(std::size_t s, std::size_t i, std::size_t j) {
  return static_cast<float>(s * 500'000 + (i * kCols + j) % 499'979);
}

void fill(MatrixView<float> matrix, std::size_t s) {
  for (std::size_t i = 0; i < matrix.rows(); ++i) {
    for (std::size_t j = 0; j < matrix.cols(); ++j) {
      matrix(i, j) = entry(s, i, j);
    }
  }
}

void expect_filled(MatrixView<const float> matrix, std::size_t s) {
  for (std::size_t i = 0; i < matrix.rows(); ++i) {
    for (std::size_t j = 0; j < matrix.cols(); ++j) {
      ASSERT_EQ(matrix(i, j), entry(s, i, j))
          << "matrix " << s << " [" << matrix.rows() << ", " << matrix.cols() << "], entry (" << i
          << ", " << j << ")";
    }
  }
}

struct Shape {
  std::size_t rows;
  std::size_t cols;
};
/// In one piece and in two, of one row, growing and shrinking, with rows apart from each other.
constexpr std::array kShapes = {Shape{70, kCols},    Shape{2048, kCols}, Shape{kRows, kCols},
                                Shape{1, kCols},     Shape{2049, kCols}, Shape{700, 1001},
                                Shape{kRows, kCols}, Shape{5, 3},        Shape{2000, kCols},
                                Shape{1999, 4095},   Shape{1, 1},        Shape{kRows, kCols}};

class StagedTransferOnDevice : public ::testing::Test {
 protected:
  void SetUp() override { test::use_torch_device(2, place_); }
  /// Products that take the device several milliseconds, longer than the host takes for a buffer.
  void keep_busy() {
    if (!busy_.defined()) {
      busy_ = at::ones({4096, 4096}, options_at(place_));
    }
    for (int i = 0; i < 5; ++i) {
      product_ = at::mm(busy_, busy_);
    }
  }

  TorchPlace place_;
  at::Tensor busy_, product_;
};

// Every matrix lies in the same memory, which is written again as soon as `send` returns.
TEST_F(StagedTransferOnDevice, MatricesArriveAsTheyWereWhenTheyWereSent) {
  const c10::InferenceMode inference;
  StagedTransfer transfer(place_);
  Matrix<float> memory(kRows, kCols);
  std::vector<at::Tensor> sent;
  for (std::size_t s = 0; s < kShapes.size(); ++s) {
    const auto matrix = memory.view().sub(0, kShapes.at(s).rows, 0, kShapes.at(s).cols);
    fill(matrix, s);
    keep_busy();
    sent.push_back(transfer.send(matrix));
  }
  fill(memory.view(), kShapes.size());
  for (std::size_t s = 0; s < sent.size(); ++s) {
    expect_filled(to_matrix(sent[s]).view(), s);
  }
}

// Buffers of a transfer that is gone are handed to the next one.
TEST_F(StagedTransferOnDevice, WhatIsOnItsWayOutlivesTheTransfer) {
  const c10::InferenceMode inference;
  Matrix<float> memory(kRows, kCols);
  std::vector<at::Tensor> sent;
  for (std::size_t s = 0; s < 6; ++s) {
    fill(memory.view(), s);
    keep_busy();
    sent.push_back(StagedTransfer(place_).send(memory.view()));
  }
  for (std::size_t s = 0; s < sent.size(); ++s) {
    expect_filled(to_matrix(sent[s]).view(), s);
  }
}

TEST_F(StagedTransferOnDevice, TensorsComeBackAfterTheWorkBeforeThem) {
  const c10::InferenceMode inference;
  StagedTransfer transfer(place_);
  Matrix<float> memory(kRows, kCols);
  for (std::size_t s = 0; s < kShapes.size(); ++s) {
    const auto [rows, cols] = kShapes.at(s);
    const auto matrix = memory.view().sub(0, rows, 0, cols);
    fill(matrix, s);
    const at::Tensor there = transfer.send(matrix);
    keep_busy();
    const at::Tensor halved = there * 0.5;
    const at::Tensor doubled = halved * 2;
    Matrix<float> found(rows + 2, cols + 3, -1);
    transfer.receive(doubled, found.view().sub(1, rows + 1, 2, cols + 2));
    expect_filled(std::as_const(found).view().sub(1, rows + 1, 2, cols + 2), s);
    EXPECT_EQ(found(0, 2), -1);
    EXPECT_EQ(found(rows + 1, cols + 1), -1);
    EXPECT_EQ(found(rows, 1), -1);
    EXPECT_EQ(found(1, cols + 2), -1);
  }
}

}  // namespace
}  // namespace btc
