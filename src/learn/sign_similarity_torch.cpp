#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cstdint>

#include "common/error.hpp"
#include "common/matrix.hpp"
#include "learn/sign_similarity.hpp"

namespace btc {
namespace {

using Gram = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Sub-vectors whose signs are summed in fp32, which is exact up to 2^24.
constexpr std::int64_t kExactVectors = std::int64_t{1} << 23;

/// M^T M [v, v] of signs [B, v].
Gram gram_of(const at::Tensor& signs) {
  const std::int64_t v = signs.size(1);
  Gram gram = Gram::Zero(v, v);
  for (std::int64_t begin = 0; begin < signs.size(0); begin += kExactVectors) {
    const at::Tensor part = signs.narrow(0, begin, std::min(kExactVectors, signs.size(0) - begin));
    const at::Tensor sums = at::matmul(part.t(), part).to(at::kCPU, at::kDouble).contiguous();
    gram += Eigen::Map<const Gram>(sums.data_ptr<double>(), v, v);
  }
  return gram;
}

/// A matrix of the host in fp32, where `like` is.
at::Tensor tensor_like(Gram& matrix, const at::Tensor& like) {
  return at::from_blob(matrix.data(), {matrix.rows(), matrix.cols()}, at::kDouble)
      .to(like.device(), at::kFloat);
}

}  // namespace

SignLosses sign_losses(const at::Tensor& weights, std::size_t vector_length,
                       std::size_t eigenvalues, double similarity, double balance,
                       at::Tensor& gradient) {
  BTC_CHECK(similarity == 0 || (eigenvalues > 0 && eigenvalues < vector_length), eigenvalues,
            " eigenvalues of ", vector_length);
  const at::NoGradGuard no_gradient;
  const auto v = narrow<std::int64_t>(vector_length);
  const std::int64_t used = weights.size(1) / v * v;
  const auto entries = static_cast<double>(weights.size(0) * used);
  gradient = at::zeros_like(weights);
  if (entries == 0) {
    return {};
  }
  const at::Tensor own = weights.narrow(1, 0, used);
  const at::Tensor signs = at::where(own < 0, -1.0F, 1.0F).reshape({-1, v});
  const Eigen::SelfAdjointEigenSolver<Gram> solver(gram_of(signs) / entries);  // ascending
  const auto top = static_cast<Eigen::Index>(std::min(eigenvalues, vector_length));
  const Gram basis = solver.eigenvectors().rightCols(top);
  const double mean = at::sum(signs, at::kDouble).item<double>() / entries;
  const SignLosses losses{1 - solver.eigenvalues().tail(top).sum(), mean * mean};

  Gram projection = -2 * similarity / entries * (basis * basis.transpose());
  const at::Tensor by_sign =
      at::matmul(signs, tensor_like(projection, signs)) + 2 * balance * mean / entries;
  const at::Tensor magnitudes = at::abs(weights);
  const double magnitude = at::mean(magnitudes, at::kDouble).item<double>();
  const at::Tensor passed = magnitudes.narrow(1, 0, used) < magnitude;
  gradient.narrow(1, 0, used).copy_(at::where(passed, by_sign.view(own.sizes()) / magnitude, 0.0F));
  return losses;
}

}  // namespace btc
