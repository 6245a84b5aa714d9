#include "quant/hessian.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>
#include <span>

namespace btc {
namespace {

/// Whether all are finite, in a loop without branches.
bool all_finite(std::span<const float> values) {
  constexpr std::uint32_t kInfinity = 0x7f800000;
  std::uint32_t largest = 0;
  for (const float value : values) {
    largest = std::max(largest, std::bit_cast<std::uint32_t>(value) & 0x7fffffffU);
  }
  return largest < kInfinity;
}

/// @throws NumericError naming the first entry of row `i` that H must not have
void check_row(const Matrix<float>& h, std::size_t i) {
  const auto row = h.row(i);
  const auto bad = std::find_if(row.begin(), row.end(), [](float x) { return !std::isfinite(x); });
  BTC_REQUIRE(NumericError, bad == row.end(), "Hessian: entry (", i, ", ", bad - row.begin(),
              ") is ", *bad);
  BTC_REQUIRE(NumericError, row[i] >= 0, "Hessian: diagonal entry ", i, " is ", row[i],
              ", expected >= 0");
}

/// Threads share the rows; the lowest bad one is named all the same.
void check_hessian(const Matrix<float>& h, const Backend& backend) {
  constexpr std::size_t kRows = 64;  // of a thread at a time
  BTC_CHECK(h.rows() == h.cols(), "H is [", h.rows(), ", ", h.cols(), "]");
  std::vector<std::size_t> bad(ceil_div(h.rows(), kRows), h.rows());
  backend.for_each(bad.size(), [&](std::size_t b) {
    const std::size_t end = std::min((b + 1) * kRows, h.rows());
    std::size_t i = b * kRows;
    while (i < end && all_finite(h.row(i)) && h(i, i) >= 0) {
      ++i;
    }
    bad[b] = i < end ? i : h.rows();
  });
  const auto first = std::min_element(bad.begin(), bad.end());
  if (first != bad.end() && *first < h.rows()) {
    check_row(h, *first);
  }
}

/// Eight sums side by side, then those one after the other.
double sum_of_squares(std::span<const float> values) {
  std::array<double, 8> sums{};
  std::size_t j = 0;
  for (; j + sums.size() <= values.size(); j += sums.size()) {
    for (std::size_t l = 0; l < sums.size(); ++l) {
      sums[l] += static_cast<double>(values[j + l]) * static_cast<double>(values[j + l]);
    }
  }
  double sum = std::accumulate(sums.begin(), sums.end(), 0.0);
  for (; j < values.size(); ++j) {
    sum += static_cast<double>(values[j]) * static_cast<double>(values[j]);
  }
  return sum;
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
  check_hessian(h, backend);
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
      undone[i] = factor.lambda * sum_of_squares(e.row(i));
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
