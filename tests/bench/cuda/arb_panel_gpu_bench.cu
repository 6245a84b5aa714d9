/// Alternating fit of a panel with two split points, 15 sweeps, on the device.
///
/// Peer: the same sweeps as unfused operations on masked fp32 panels, one kernel for each tensor
/// operation of the published ARB-LLM code, with the same copies to and from the device. It has
/// none of a framework's costs on the host; `arb_panel_torch_gpu_bench` measures LibTorch. `exact`
/// compares with the same operations in fp64.

#include <benchmark/benchmark.h>

#include "backend/backend.hpp"
#include "bench/arb_panel_problem.hpp"
#include "bench/cuda/device_report.hpp"
#include "cuda/runtime/array.cuh"
#include "cuda/runtime/launch.cuh"

namespace btc {
namespace {

constexpr unsigned kThreads = 256;
constexpr unsigned kWarp = 32;

/// [rows, cols]; with one column it stands for all columns of the other operand.
template <typename T>
struct Tensor {
  cuda::DeviceArray<T> values;
  std::size_t rows = 0;
  std::size_t cols = 0;
};

struct Add {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Subtract {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a - b;
  }
};
struct Multiply {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a * b;
  }
};
struct Divide {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a / b;
  }
};
struct Magnitude {
  template <typename T>
  __device__ T operator()(T a) const {
    return a < T{0} ? -a : a;
  }
};
struct Sign {
  template <typename T>
  __device__ T operator()(T a) const {
    return static_cast<T>((a > T{0} ? 1 : 0) - (a < T{0} ? 1 : 0));
  }
};
struct AtLeastOne {
  template <typename T>
  __device__ T operator()(T a) const {
    return a < T{1} ? T{1} : a;
  }
};
struct AddTiny {
  template <typename T>
  __device__ T operator()(T a) const {
    return a + static_cast<T>(1e-8);
  }
};

template <typename T, typename Operation>
__global__ void map_one(const T* a, std::size_t count, T* out, Operation operation) {
  const std::size_t e = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
  if (e < count) {
    out[e] = operation(a[e]);
  }
}

template <typename T, typename Operation>
__global__ void map_two(const T* a, std::size_t a_cols, const T* b, std::size_t b_cols,
                        std::size_t cols, std::size_t count, T* out, Operation operation) {
  const std::size_t e = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
  if (e < count) {
    const std::size_t row = e / cols;
    out[e] = operation(a_cols == 1 ? a[row] : a[e], b_cols == 1 ? b[row] : b[e]);
  }
}

/// One warp for each row.
template <typename T>
__global__ void sum_rows(const T* x, std::size_t rows, std::size_t cols, T* out) {
  const std::size_t row = (std::size_t{blockIdx.x} * kThreads + threadIdx.x) / kWarp;
  if (row >= rows) {
    return;
  }
  T sum = 0;
  for (std::size_t j = threadIdx.x % kWarp; j < cols; j += kWarp) {
    sum += x[row * cols + j];
  }
  for (unsigned mask = kWarp / 2; mask > 0; mask /= 2) {
    sum += __shfl_xor_sync(~0U, sum, mask);
  }
  if (threadIdx.x % kWarp == 0) {
    out[row] = sum;
  }
}

/// mask = 1 where the entry belongs to the group.
template <typename T>
__global__ void make_mask(const std::uint8_t* group, std::size_t count, std::uint8_t wanted,
                          T* mask) {
  const std::size_t e = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
  if (e < count) {
    mask[e] = group[e] == wanted ? T{1} : T{0};
  }
}

template <typename T>
__global__ void convert(const float* from, std::size_t count, T* to) {
  const std::size_t e = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
  if (e < count) {
    to[e] = static_cast<T>(from[e]);
  }
}

/// Tensor operations, each a kernel with an output of its own.
template <typename T>
class Operations {
 public:
  explicit Operations(const cuda::Context& context) : context_(context) {}

  [[nodiscard]] Tensor<T> tensor(std::size_t rows, std::size_t cols) const {
    return {cuda::DeviceArray<T>(context_, rows * cols), rows, cols};
  }
  template <typename Operation>
  Tensor<T> map(const Tensor<T>& a, Operation operation) const {
    Tensor<T> out = tensor(a.rows, a.cols);
    cuda::launch(context_, shape(out), map_one<T, Operation>, a.values.data(), out.values.size(),
                 out.values.data(), operation);
    return out;
  }
  template <typename Operation>
  Tensor<T> map(const Tensor<T>& a, const Tensor<T>& b, Operation operation) const {
    Tensor<T> out = tensor(a.rows, std::max(a.cols, b.cols));
    cuda::launch(context_, shape(out), map_two<T, Operation>, a.values.data(), a.cols,
                 b.values.data(), b.cols, out.cols, out.values.size(), out.values.data(),
                 operation);
    return out;
  }
  Tensor<T> row_sum(const Tensor<T>& x) const {
    Tensor<T> out = tensor(x.rows, 1);
    cuda::launch(context_, {ceil_div(x.rows * kWarp, kThreads), kThreads, 0}, sum_rows<T>,
                 x.values.data(), x.rows, x.cols, out.values.data());
    return out;
  }
  [[nodiscard]] static cuda::LaunchShape shape(const Tensor<T>& out) {
    return {ceil_div(out.values.size(), kThreads), kThreads, 0};
  }

 private:
  const cuda::Context& context_;
};

template <typename T>
struct TensorFit {
  Tensor<T> mu;
  Tensor<T> alpha;
};

/// As `bench::fit_group` of bench/arb_panel_torch.hpp.
template <typename T>
TensorFit<T> fit_group(const Operations<T>& on, const Tensor<T>& x, const Tensor<T>& mask) {
  const auto masked_value = [&](const TensorFit<T>& fit, const Tensor<T>& sign) {
    return on.map(on.map(on.map(fit.alpha, sign, Multiply{}), fit.mu, Add{}), mask, Multiply{});
  };
  const Tensor<T> count = on.map(on.row_sum(mask), AtLeastOne{});
  TensorFit<T> fit;
  fit.mu = on.map(on.row_sum(on.map(x, mask, Multiply{})), count, Divide{});
  Tensor<T> size = on.map(on.map(x, fit.mu, Subtract{}), Magnitude{});
  fit.alpha = on.map(on.row_sum(on.map(size, mask, Multiply{})), count, Divide{});
  Tensor<T> sign = on.map(on.map(on.map(x, fit.mu, Subtract{}), Sign{}), mask, Multiply{});
  Tensor<T> q = masked_value(fit, sign);
  for (int sweep = 0; sweep < bench::kPanelSweeps; ++sweep) {
    const Tensor<T> rest = on.map(on.map(x, q, Subtract{}), mask, Multiply{});
    fit.mu = on.map(fit.mu, on.map(on.row_sum(rest), count, Divide{}), Add{});
    const Tensor<T> centred = on.map(on.map(x, fit.mu, Subtract{}), mask, Multiply{});
    fit.alpha = on.map(on.row_sum(on.map(sign, centred, Multiply{})),
                       on.map(on.row_sum(on.map(sign, sign, Multiply{})), AddTiny{}), Divide{});
    sign = on.map(centred, Sign{});
    q = masked_value(fit, sign);
  }
  return fit;
}

/// Columns g of alpha and mu, by group.
template <typename T>
struct HostScales {
  std::array<std::vector<T>, bench::kPanelGroups> alpha;
  std::array<std::vector<T>, bench::kPanelGroups> mu;
};

/// The whole call: panel and groups to the device, operations, scales back.
template <typename T>
HostScales<T> fit_unfused(const cuda::Context& context, const bench::PanelProblem& problem) {
  const Operations<T> on(context);
  const cuda::DeviceArray<float> values(context, problem.x.values());
  const cuda::DeviceArray<std::uint8_t> group(context, problem.groups.group.values());
  const Tensor<T> x = on.tensor(problem.x.rows(), problem.x.cols());
  cuda::launch(context, on.shape(x), convert<T>, values.data(), values.size(), x.values.data());
  HostScales<T> scales;
  for (std::size_t g = 0; g < bench::kPanelGroups; ++g) {
    const Tensor<T> mask = on.tensor(x.rows, x.cols);
    cuda::launch(context, on.shape(mask), make_mask<T>, group.data(), group.size(), g,
                 mask.values.data());
    const TensorFit<T> fit = fit_group(on, x, mask);
    scales.alpha.at(g) = fit.alpha.values.to_vector();
    scales.mu.at(g) = fit.mu.values.to_vector();
  }
  return scales;
}

void BM_ArbPanelOnDevice(benchmark::State& state) {
  const bench::PanelProblem problem = bench::make_panel(static_cast<std::size_t>(state.range(0)));
  const auto backend = make_cuda_backend(0);
  const Matrix<float> u(bench::kPanelWidth, bench::kPanelWidth);
  const auto session = backend->open_arb(problem.x.view(), u.view());
  const cuda::Context context(0);
  PanelScales scales;
  const auto ours = [&] {
    scales =
        session->fit(problem.x.view(), problem.groups, {FitRule::kArb, bench::kPanelSweeps}).scales;
  };
  const auto peer = [&] {
    benchmark::DoNotOptimize(fit_unfused<float>(context, problem).alpha[0].data());
  };
  ours();  // loads the kernels
  peer();
  const auto times = bench::run_side_by_side(state, 9, ours, peer, bench::wall_seconds);
  const HostScales<double> expected = fit_unfused<double>(context, problem);
  bool exact = true;
  for (std::size_t g = 0; g < bench::kPanelGroups; ++g) {
    exact = exact && bench::close_to_peer(scales.alpha, g, expected.alpha.at(g).data()) &&
            bench::close_to_peer(scales.mu, g, expected.mu.at(g).data());
  }
  bench::report(state, times, 1.0, exact);
  bench::report_kernels(state, ours, peer);
}
BENCHMARK(BM_ArbPanelOnDevice)
    ->ArgName("rows")
    ->Arg(4096)
    ->Arg(11008)
    ->Iterations(21)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace btc
