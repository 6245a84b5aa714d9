/// Alternating fit of a panel with two split points, 15 sweeps, on the device.
///
/// Peer: the same sweeps as operations of LibTorch on the same device, on masked fp32 panels, the
/// way the published ARB-LLM code is written. The weights are on the device for both, as in the
/// panel loop; a call copies the groups there and the scales back. `exact` compares with the same
/// operations in fp64.

#include <benchmark/benchmark.h>

#include "backend/backend.hpp"
#include "bench/arb_panel_torch.hpp"
#include "bench/cuda/device_report.hpp"

namespace btc {
namespace {

void BM_ArbPanelTorchOnDevice(benchmark::State& state) {  // NOLINT(readability-identifier-naming)
  bench::PanelProblem problem = bench::make_panel(static_cast<std::size_t>(state.range(0)));
  const at::Device device(at::kCUDA, 0);
  const auto backend = make_cuda_backend(0, 1);
  const Matrix<float> u(bench::kPanelWidth, bench::kPanelWidth);
  const Panel whole{0, bench::kPanelWidth};
  const auto session = backend->open_arb(problem.x.view(), u.view());
  PanelScales scales;
  const auto ours = [&] {
    scales =
        session->fit_weights(whole, problem.groups, {FitRule::kArb, bench::kPanelSweeps}).scales;
  };
  const at::Tensor x = bench::to_tensors(problem, device).x;
  const auto peer = [&] {
    for (const at::Tensor& mask : bench::to_masks(problem, device)) {
      const bench::TensorFit fit = bench::fit_group(x, mask);
      benchmark::DoNotOptimize(fit.alpha.cpu().data_ptr());
      benchmark::DoNotOptimize(fit.mu.cpu().data_ptr());
    }
  };
  ours();  // loads the kernels
  peer();
  const auto times = bench::run_side_by_side(state, 9, ours, peer, bench::wall_seconds);
  const bench::TensorPanel panel = bench::to_tensors(problem, device);
  bench::report(state, times, 1.0, bench::equal_to_double(scales, panel));
  bench::report_kernels(state, ours, peer);
}
BENCHMARK(BM_ArbPanelTorchOnDevice)
    ->ArgName("rows")
    ->Arg(4096)
    ->Arg(11008)
    ->Iterations(21)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace btc
