#include "quant/hessian.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numeric>

namespace btc {
namespace {

void check_hessian(const Matrix<float>& h) {
  BTC_CHECK(h.rows() == h.cols(), "H is [", h.rows(), ", ", h.cols(), "]");
  for (std::size_t i = 0; i < h.rows(); ++i) {
    for (std::size_t j = 0; j < h.cols(); ++j) {
      BTC_REQUIRE(NumericError, std::isfinite(h(i, j)), "Hessian: entry (", i, ", ", j, ") is ",
                  h(i, j));
    }
    BTC_REQUIRE(NumericError, h(i, i) >= 0, "Hessian: diagonal entry ", i, " is ", h(i, i),
                ", expected >= 0");
  }
}

}  // namespace

Matrix<float> input_hessian(MatrixView<const float> inputs, std::size_t sequences) {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  BTC_REQUIRE(InputError, sequences > 0 && inputs.rows() % sequences == 0, "inputs: got ",
              inputs.rows(), " rows, expected as many for each of ", sequences, " sequences");
  const auto tokens = static_cast<Eigen::Index>(inputs.rows() / sequences);
  const auto width = static_cast<Eigen::Index>(inputs.cols());
  BTC_CHECK(inputs.stride() == inputs.cols(), "inputs are not contiguous");
  const Eigen::Map<const RowMajor> all(inputs.data(), static_cast<Eigen::Index>(inputs.rows()),
                                       width);
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(width, width);
  for (std::size_t s = 0; s < sequences; ++s) {
    const Eigen::MatrixXd x =
        all.middleRows(static_cast<Eigen::Index>(s) * tokens, tokens).cast<double>();
    sum.selfadjointView<Eigen::Lower>().rankUpdate(x.transpose());
  }
  Matrix<float> h(inputs.cols(), inputs.cols());
  for (Eigen::Index i = 0; i < width; ++i) {
    for (Eigen::Index j = 0; j <= i; ++j) {
      const auto value = static_cast<float>(sum(i, j) * 2 / static_cast<double>(sequences));
      h(static_cast<std::size_t>(i), static_cast<std::size_t>(j)) = value;
      h(static_cast<std::size_t>(j), static_cast<std::size_t>(i)) = value;
    }
  }
  return h;
}

HessianFactor factor_hessian(Matrix<float>& h, double damping, Backend& backend) {
  constexpr int kRetries = 3;
  check_hessian(h);
  const std::size_t m = h.rows();
  HessianFactor factor;
  std::vector<float> diagonal(m);
  double trace = 0;
  for (std::size_t j = 0; j < m; ++j) {
    if (h(j, j) == 0) {
      factor.dead_columns.push_back(narrow<std::uint32_t>(j));
      h(j, j) = 1;
    }
    diagonal[j] = h(j, j);
    trace += static_cast<double>(h(j, j));
  }
  const double first_lambda = damping * trace / static_cast<double>(m);
  for (int attempt = 0;; ++attempt) {
    factor.lambda = first_lambda * std::pow(10.0, attempt);
    factor.raised = attempt;
    for (std::size_t j = 0; j < m; ++j) {
      h(j, j) = static_cast<float>(static_cast<double>(diagonal[j]) + factor.lambda);
    }
    try {
      factor.u = backend.factor(h.view());
      return factor;
    } catch (const NumericError& error) {
      BTC_REQUIRE(NumericError, attempt < kRetries, "Hessian: not positive definite, even with ",
                  factor.lambda, " added to the diagonal: ", error.what());
    }
  }
}

HessianFactor factor_inputs(Matrix<float>& h, const BinarizeParams& binarize,
                            const std::optional<CodebookParams>& codebook, Backend& backend) {
  Matrix<float> gram;
  if (binarize.method == FitRule::kArbX) {
    const std::size_t width = panel_width(binarize, codebook);
    gram = Matrix<float>(h.rows(), std::min(width, h.cols()));
    for (std::size_t i = 0; i < h.rows(); ++i) {
      const std::size_t begin = i / width * width;
      for (std::size_t j = begin; j < std::min(begin + width, h.cols()); ++j) {
        gram(i, j - begin) = h(i, j) / 2;
      }
    }
  }
  HessianFactor factor = factor_hessian(h, binarize.damping, backend);
  factor.gram = std::move(gram);
  return factor;
}

double undamped_energy(double damped, MatrixView<const float> e, const HessianFactor& factor,
                       const RowBlocks& rows) {
  const auto square = [&](std::size_t i, std::size_t j) {
    return static_cast<double>(e(i, j)) * static_cast<double>(e(i, j));
  };
  std::vector<double> undone(e.rows(), 0.0);  // of each row
  rows(e.rows(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      double squares = 0;
      for (std::size_t j = 0; j < e.cols(); ++j) {
        squares += square(i, j);
      }
      undone[i] = factor.lambda * squares;
      for (const std::uint32_t j : factor.dead_columns) {
        undone[i] += square(i, j);
      }
    }
  });
  return std::max(damped - std::accumulate(undone.begin(), undone.end(), 0.0), 0.0);
}

double output_energy(MatrixView<const float> e, const HessianFactor& factor) {
  const std::size_t m = e.cols();
  std::vector<double> left(m);
  double damped = 0;
  for (std::size_t i = 0; i < e.rows(); ++i) {
    std::copy(e.row(i).begin(), e.row(i).end(), left.begin());
    for (std::size_t l = 0; l < m; ++l) {  // x U = row, eliminated from the left
      const auto u = factor.u.row(l);
      const double x = left[l] / static_cast<double>(u[l]);
      damped += x * x;
      for (std::size_t j = l + 1; j < m; ++j) {
        left[j] -= x * static_cast<double>(u[j]);
      }
    }
  }
  return undamped_energy(damped, e, factor);
}

}  // namespace btc
