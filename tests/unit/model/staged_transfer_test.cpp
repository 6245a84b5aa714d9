#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>

#include "model/staged_transfer.hpp"
#include "support/random_matrix.hpp"

namespace btc {
namespace {

TEST(StagedTransferTest, OnTheCpuAMatrixIsBorrowed) {
  const Matrix<float> matrix = test::random_matrix(5, 7, 1);
  StagedTransfer transfer{TorchPlace{}};
  for (int time = 0; time < 3; ++time) {
    const at::Tensor tensor = transfer.send(matrix.view().sub(1, 4, 2, 6));
    EXPECT_EQ(tensor.const_data_ptr<float>(), &matrix(1, 2));
    EXPECT_EQ(tensor.sizes(), (std::vector<std::int64_t>{3, 4}));
    EXPECT_EQ(tensor.stride(0), 7);
  }
}

TEST(StagedTransferTest, OnTheCpuATensorIsCopiedOut) {
  const Matrix<float> matrix = test::random_matrix(5, 7, 1);
  StagedTransfer transfer{TorchPlace{}};
  Matrix<float> found(6, 9, -1);
  transfer.receive(transfer.send(matrix.view()), found.view().sub(1, 6, 2, 9));
  for (std::size_t i = 0; i < found.rows(); ++i) {
    for (std::size_t j = 0; j < found.cols(); ++j) {
      EXPECT_EQ(found(i, j), i < 1 || j < 2 ? -1 : matrix(i - 1, j - 2));
    }
  }
}

}  // namespace
}  // namespace btc
