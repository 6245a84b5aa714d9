#include "learn/sign_similarity.hpp"

#include <Eigen/Eigenvalues>
#include <cmath>
#include <vector>

namespace btc {
namespace {

using Gram = Eigen::MatrixXd;

double sign_of(float w) { return w < 0 ? -1.0 : 1.0; }

/// M^T M and the sum of M.
struct SignSums {
  Gram gram;
  double sum = 0;
  double vectors = 0;  ///< B
};

SignSums sum_signs(MatrixView<const float> weights, std::size_t v) {
  SignSums sums{Gram::Zero(static_cast<Eigen::Index>(v), static_cast<Eigen::Index>(v))};
  Eigen::VectorXd own(static_cast<Eigen::Index>(v));
  for (std::size_t i = 0; i < weights.rows(); ++i) {
    const auto row = weights.row(i);
    for (std::size_t begin = 0; begin + v <= row.size(); begin += v) {
      for (std::size_t k = 0; k < v; ++k) {
        own[static_cast<Eigen::Index>(k)] = sign_of(row[begin + k]);
      }
      sums.gram.noalias() += own * own.transpose();
      sums.sum += own.sum();
      sums.vectors += 1;
    }
  }
  return sums;
}

double mean_magnitude(MatrixView<const float> weights) {
  double sum = 0;
  for (std::size_t i = 0; i < weights.rows(); ++i) {
    for (const float w : weights.row(i)) {
      sum += std::fabs(static_cast<double>(w));
    }
  }
  return sum / static_cast<double>(weights.rows() * weights.cols());
}

}  // namespace

SignLosses add_sign_losses(MatrixView<const float> weights, std::size_t vector_length,
                           std::size_t eigenvalues, double similarity, double balance,
                           MatrixView<float> sums) {
  BTC_CHECK(similarity == 0 || (eigenvalues > 0 && eigenvalues < vector_length), eigenvalues,
            " eigenvalues of ", vector_length);
  const SignSums signs = sum_signs(weights, vector_length);
  const auto v = static_cast<double>(vector_length);
  const double entries = signs.vectors * v;
  if (entries == 0) {
    return {};
  }
  const Eigen::SelfAdjointEigenSolver<Gram> solver(signs.gram / entries);  // ascending
  const auto top = static_cast<Eigen::Index>(std::min(eigenvalues, vector_length));
  const Gram basis = solver.eigenvectors().rightCols(top);
  const double mean = signs.sum / entries;
  const SignLosses losses{1 - solver.eigenvalues().tail(top).sum(), mean * mean};

  const double magnitude = mean_magnitude(weights);
  const Gram projection = basis * basis.transpose();
  Eigen::VectorXd own(static_cast<Eigen::Index>(vector_length));
  for (std::size_t i = 0; i < weights.rows(); ++i) {
    const auto row = weights.row(i);
    const auto out = sums.row(i);
    for (std::size_t begin = 0; begin + vector_length <= row.size(); begin += vector_length) {
      for (std::size_t k = 0; k < vector_length; ++k) {
        own[static_cast<Eigen::Index>(k)] = sign_of(row[begin + k]);
      }
      const Eigen::VectorXd slope = -2 * similarity / entries * (projection * own);
      for (std::size_t k = 0; k < vector_length; ++k) {
        if (std::fabs(static_cast<double>(row[begin + k])) < magnitude) {
          const double by_sign = slope[static_cast<Eigen::Index>(k)] + 2 * balance * mean / entries;
          out[begin + k] += static_cast<float>(by_sign / magnitude);
        }
      }
    }
  }
  return losses;
}

}  // namespace btc
