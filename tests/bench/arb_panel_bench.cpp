/// Alternating fit of a panel with two split points, 15 sweeps, one thread.
///
/// Peer: the same sweeps as tensor operations of LibTorch on masked fp32 panels, the way the
/// published ARB-LLM code is written. `exact` compares with the same operations in fp64.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <array>
#include <cmath>

#include "backend/backend.hpp"
#include "bench/side_by_side.hpp"
#include "common/rng.hpp"

namespace btc {
namespace {

constexpr std::size_t kWidth = 128;
constexpr int kSweeps = 15;

/// Mean and scale [n, 1] of one group.
struct GroupFit {
  at::Tensor mu;
  at::Tensor alpha;
};

at::Tensor row_sum(const at::Tensor& x) { return x.sum(1, true); }

GroupFit fit_group(const at::Tensor& x, const at::Tensor& mask) {
  const at::Tensor count = row_sum(mask).clamp_min(1);
  GroupFit fit;
  fit.mu = row_sum(x * mask) / count;
  fit.alpha = row_sum((x - fit.mu).abs() * mask) / count;
  at::Tensor sign = (x - fit.mu).sign() * mask;
  at::Tensor q = (fit.alpha * sign + fit.mu) * mask;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    fit.mu = fit.mu + row_sum((x - q) * mask) / count;
    const at::Tensor centred = (x - fit.mu) * mask;
    fit.alpha = row_sum(sign * centred) / (row_sum(sign * sign) + 1e-8);
    sign = centred.sign();
    q = (fit.alpha * sign + fit.mu) * mask;
  }
  return fit;
}

/// Whether the float matrix column equals the tensor to fp32 rounding of its largest value.
bool close(const Matrix<float>& ours, std::size_t g, const at::Tensor& expected) {
  const at::Tensor flat = expected.contiguous();
  const double* values = flat.data_ptr<double>();
  const double limit = 1e-6 * flat.abs().max().item<double>();
  for (std::size_t i = 0; i < ours.rows(); ++i) {
    if (!(std::fabs(static_cast<double>(ours(i, g)) - values[i]) <= limit)) {
      return false;
    }
  }
  return true;
}

void BM_ArbPanel(benchmark::State& state) {  // NOLINT(readability-identifier-naming)
  const auto rows = static_cast<std::size_t>(state.range(0));
  at::set_num_threads(1);
  Rng rng(7);
  Matrix<float> x(rows, kWidth);
  PanelGroups groups;
  groups.count = 3;
  groups.group = Matrix<std::uint8_t>(rows, kWidth);
  for (std::size_t e = 0; e < x.size(); ++e) {
    x.values()[e] = static_cast<float>(rng.normal());
    const float size = std::fabs(x.values()[e]);
    groups.group.values()[e] = static_cast<std::uint8_t>((size >= 0.7F ? 1 : 0) + (size >= 1.5F));
  }
  const auto backend = make_cpu_backend(1);
  Matrix<float> u(kWidth, kWidth);
  const auto session = backend->open_arb(x.view(), u.view());

  const auto n = static_cast<std::int64_t>(rows);
  const at::Tensor dense = at::from_blob(x.data(), {n, std::int64_t{kWidth}}, at::kFloat);
  const at::Tensor group = at::from_blob(groups.group.data(), {n, std::int64_t{kWidth}}, at::kByte);
  std::array<at::Tensor, 3> masks;
  for (int g = 0; g < 3; ++g) {
    masks[static_cast<std::size_t>(g)] = (group == g).to(at::kFloat);
  }
  PanelScales scales;
  const auto times = bench::run_side_by_side(
      state, 5,
      [&] {
        scales = session->fit(x.view(), groups, {FitRule::kArb, kSweeps}).scales;
      },
      [&] {
        for (const at::Tensor& mask : masks) {
          benchmark::DoNotOptimize(fit_group(dense, mask).alpha.data_ptr());
        }
      });
  bool exact = true;
  for (std::size_t g = 0; g < 3; ++g) {
    const GroupFit expected = fit_group(dense.to(at::kDouble), masks[g].to(at::kDouble));
    exact = exact && close(scales.alpha, g, expected.alpha) && close(scales.mu, g, expected.mu);
  }
  bench::report(state, times, 1.0, exact);
}
BENCHMARK(BM_ArbPanel)->Arg(4096)->Arg(11008)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace btc
