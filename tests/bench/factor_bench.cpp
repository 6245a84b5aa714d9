/// U with H^-1 = U^T U, one thread, fp64.
///
/// Peer: the usual chain with Eigen: factorise H, invert it, factorise the inverse. `exact` is 1
/// when the largest difference is at most 1e-5 of the largest entry.

#include <benchmark/benchmark.h>

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <cmath>

#include "backend/backend.hpp"
#include "bench/side_by_side.hpp"
#include "common/rng.hpp"

namespace btc {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix<float> random_hessian(std::size_t m) {
  Rng rng(derive_seed(1, "hessian", m));
  const auto size = static_cast<Eigen::Index>(m);
  Eigen::MatrixXd x(size, size / 4);
  for (auto& value : x.reshaped()) {
    value = rng.normal();
  }
  const Eigen::MatrixXd product = x * x.transpose();
  Matrix<float> h(m, m);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < m; ++j) {
      const double value = product(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j));
      h(i, j) = static_cast<float>(value + (i == j ? static_cast<double>(m) * 0.01 : 0.0));
    }
  }
  return h;
}

RowMajor chain(const Matrix<float>& h) {
  const auto size = static_cast<Eigen::Index>(h.rows());
  const RowMajor wide =
      Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
          h.data(), size, size)
          .cast<double>();
  const Eigen::LLT<RowMajor> first(wide);
  const RowMajor inverse = first.solve(RowMajor::Identity(size, size));
  return Eigen::LLT<RowMajor, Eigen::Upper>(inverse).matrixU();
}

void BM_Factor(benchmark::State& state) {  // NOLINT(readability-identifier-naming)
  const auto m = static_cast<std::size_t>(state.range(0));
  const Matrix<float> h = random_hessian(m);
  const auto backend = make_cpu_backend(1);
  Matrix<float> u;
  RowMajor expected;
  const auto times = bench::run_side_by_side(
      state, 2, [&] { u = backend->factor(h.view()); }, [&] { expected = chain(h); });
  double difference = 0.0;
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < m; ++j) {
      const double value = expected(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j));
      difference = std::max(difference, std::abs(static_cast<double>(u(i, j)) - value));
    }
  }
  bench::report(state, times, 1.0, difference <= 1e-5 * expected.cwiseAbs().maxCoeff());
  state.counters["gflop_per_s"] =
      2.0 / 3.0 * std::pow(static_cast<double>(m), 3) / times.ours * 1e-9;
}
BENCHMARK(BM_Factor)->ArgName("m")->Arg(1024)->Arg(2048)->UseManualTime()->Unit(
    benchmark::kMillisecond);

}  // namespace
}  // namespace btc
