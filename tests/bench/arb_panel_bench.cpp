/// Alternating fit of a panel with two split points, 15 sweeps, one thread.
///
/// Peer: the same sweeps as tensor operations of LibTorch on masked fp32 panels, the way the
/// published ARB-LLM code is written. `exact` compares with the same operations in fp64.

#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include "backend/backend.hpp"
#include "bench/arb_panel_torch.hpp"
#include "bench/side_by_side.hpp"

namespace btc {
namespace {

void BM_ArbPanel(benchmark::State& state) {  // NOLINT(readability-identifier-naming)
  at::set_num_threads(1);
  bench::PanelProblem problem = bench::make_panel(static_cast<std::size_t>(state.range(0)));
  const auto backend = make_cpu_backend(1);
  Matrix<float> u(bench::kPanelWidth, bench::kPanelWidth);
  const auto session = backend->open_arb(problem.x.view(), u.view());
  const bench::TensorPanel panel = bench::to_tensors(problem, at::kCPU);
  PanelScales scales;
  const auto times = bench::run_side_by_side(
      state, 5,
      [&] {
        scales =
            session->fit(problem.x.view(), problem.groups, {FitRule::kArb, bench::kPanelSweeps})
                .scales;
      },
      [&] {
        for (const at::Tensor& mask : panel.masks) {
          benchmark::DoNotOptimize(bench::fit_group(panel.x, mask).alpha.data_ptr());
        }
      });
  bench::report(state, times, 1.0, bench::equal_to_double(scales, panel));
}
BENCHMARK(BM_ArbPanel)->Arg(4096)->Arg(11008)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace btc
