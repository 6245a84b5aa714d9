/// y = W x in fp16 with cuBLAS and cuBLASLt: what packed products are compared with.
///
/// W [n, m] of a Linear, x of `batch` tokens, fp32 sums. Each replay runs through as many distinct
/// weights as exceed four times the L2 cache, so every product reads its W from memory. cuBLASLt
/// is the fastest of up to eight algorithms that its heuristics offer.

#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_fp16.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <functional>

#include "bench/cuda/probe/probe.cuh"

namespace btc::probe {
namespace {

constexpr std::size_t kWorkspace = std::size_t{32} << 20U;
constexpr std::size_t kMaxBatch = 64;

void check(cublasStatus_t code, const char* call) {
  if (code != CUBLAS_STATUS_SUCCESS) {
    throw std::runtime_error(std::string(call) + ": " + cublasGetStatusString(code));
  }
}

#define PROBE_BLAS(call) check((call), #call)

__global__ void fill(__half* values, std::size_t count, float scale, std::uint32_t seed) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    std::uint32_t x = static_cast<std::uint32_t>(i) * 2654435761U + seed;
    x = (x ^ (x >> 15U)) * 2246822519U;
    x ^= x >> 13U;
    values[i] = __float2half(scale * (static_cast<float>(x % 2001U) - 1000.0F));
  }
}

struct Shape {
  std::size_t rows;  // n
  std::size_t cols;  // m
  [[nodiscard]] std::size_t weights() const { return rows * cols; }
};

constexpr std::array<Shape, 5> kShapes = {
    {{4096, 4096}, {11008, 4096}, {4096, 11008}, {8192, 8192}, {8192, 28672}}};
constexpr std::array<std::size_t, 7> kBatches = {1, 2, 4, 8, 16, 32, 64};

/// Handles and buffers of all products.
struct Products {
  cublasHandle_t blas = nullptr;
  cublasLtHandle_t light = nullptr;
  Memory<std::byte> workspace{kWorkspace};
  Memory<__half> w;
  Memory<__half> x{kMaxBatch * 28672};
  Memory<__half> y{kMaxBatch * 11008};

  explicit Products(std::size_t weights) : w(weights) {}
  ~Products() {
    cublasLtDestroy(light);
    cublasDestroy(blas);
  }
};

/// Distinct weights that a replay runs through.
std::size_t rotation(const Device& device, const Shape& shape) {
  const std::size_t bytes = shape.weights() * sizeof(__half);
  return std::max<std::size_t>(2, 4 * device.l2_bytes / bytes + 1);
}

/// One product with cuBLAS. The libraries see W^T [m, n], x [m, batch], y [n, batch] by columns.
void multiply_blas(const Products& on, const Shape& shape, std::size_t batch, const __half* w) {
  const float one = 1.0F;
  const float zero = 0.0F;
  const auto n = static_cast<int>(shape.rows);
  const auto m = static_cast<int>(shape.cols);
  PROBE_BLAS(cublasGemmEx(on.blas, CUBLAS_OP_T, CUBLAS_OP_N, n, static_cast<int>(batch), m, &one, w,
                          CUDA_R_16F, m, on.x.data(), CUDA_R_16F, m, &zero, on.y.data(), CUDA_R_16F,
                          n, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
}

/// The same with cuBLASLt: descriptions of one shape, and its algorithms.
class LightProduct {
 public:
  LightProduct(const Products& on, const Shape& shape, std::size_t batch) : on_(on) {
    const cublasOperation_t transposed = CUBLAS_OP_T;
    PROBE_BLAS(cublasLtMatmulDescCreate(&operation_, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    PROBE_BLAS(cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                              sizeof transposed));
    const auto m = static_cast<std::int64_t>(shape.cols);
    const auto n = static_cast<std::int64_t>(shape.rows);
    PROBE_BLAS(cublasLtMatrixLayoutCreate(&w_, CUDA_R_16F, shape.cols, shape.rows, m));
    PROBE_BLAS(cublasLtMatrixLayoutCreate(&x_, CUDA_R_16F, shape.cols, batch, m));
    PROBE_BLAS(cublasLtMatrixLayoutCreate(&y_, CUDA_R_16F, shape.rows, batch, n));
    cublasLtMatmulPreference_t preference = nullptr;
    PROBE_BLAS(cublasLtMatmulPreferenceCreate(&preference));
    PROBE_BLAS(cublasLtMatmulPreferenceSetAttribute(
        preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &kWorkspace, sizeof kWorkspace));
    PROBE_BLAS(cublasLtMatmulAlgoGetHeuristic(on.light, operation_, w_, x_, y_, y_, preference,
                                              static_cast<int>(found_.size()), found_.data(),
                                              &count_));
    PROBE_BLAS(cublasLtMatmulPreferenceDestroy(preference));
  }
  ~LightProduct() {
    cublasLtMatrixLayoutDestroy(y_);
    cublasLtMatrixLayoutDestroy(x_);
    cublasLtMatrixLayoutDestroy(w_);
    cublasLtMatmulDescDestroy(operation_);
  }
  LightProduct(const LightProduct&) = delete;
  LightProduct& operator=(const LightProduct&) = delete;

  /// Algorithms offered, not all of which need to work.
  [[nodiscard]] int algorithms() const { return count_; }
  [[nodiscard]] bool works(int algorithm) const {
    return found_[static_cast<std::size_t>(algorithm)].state == CUBLAS_STATUS_SUCCESS;
  }
  void multiply(int algorithm, const __half* w, cudaStream_t stream) const {
    const float one = 1.0F;
    const float zero = 0.0F;
    PROBE_BLAS(cublasLtMatmul(on_.light, operation_, &one, w, w_, on_.x.data(), x_, &zero,
                              on_.y.data(), y_, on_.y.data(), y_,
                              &found_[static_cast<std::size_t>(algorithm)].algo,
                              on_.workspace.data(), kWorkspace, stream));
  }

 private:
  const Products& on_;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t w_ = nullptr;
  cublasLtMatrixLayout_t x_ = nullptr;
  cublasLtMatrixLayout_t y_ = nullptr;
  std::array<cublasLtMatmulHeuristicResult_t, 8> found_{};
  int count_ = 0;
};

/// Compares the last row of y of the first and last token with sums in doubles.
void check_product(const Products& on, const Shape& shape, std::size_t batch, std::size_t weight) {
  const auto w = on.w.values((weight + 1) * shape.weights() - shape.cols, shape.cols);
  for (const std::size_t token : {std::size_t{0}, batch - 1}) {
    const auto x = on.x.values(token * shape.cols, shape.cols);
    double sum = 0.0;
    double size = 0.0;
    for (std::size_t j = 0; j < shape.cols; ++j) {
      const double term = double{__half2float(w[j])} * double{__half2float(x[j])};
      sum += term;
      size += std::abs(term);
    }
    const double got = double{__half2float(on.y.values((token + 1) * shape.rows - 1, 1)[0])};
    require(std::abs(got - sum) <= 2e-3 * std::abs(sum) + 1e-4 * size, "matrix product");
  }
}

/// Microseconds of one product, weights cold. @param multiply takes W
template <typename Multiply>
double cold_microseconds(const Device& device, const Products& on, const Shape& shape,
                         std::size_t batch, Multiply multiply) {
  const std::size_t weights = rotation(device, shape);
  const auto all = [&] {
    for (std::size_t r = 0; r < weights; ++r) {
      multiply(on.w.data() + r * shape.weights());
    }
  };
  all();  // loads the kernels, which a capture must not
  PROBE_CUDA(cudaStreamSynchronize(device.stream));
  check_product(on, shape, batch, weights - 1);
  const Graph graph(device, all);
  return median_milliseconds(device, [&] { graph.replay(); }) * 1e3 / static_cast<double>(weights);
}

void print_shape(const Device& device, const Products& on, const Shape& shape) {
  for (const std::size_t batch : kBatches) {
    const double blas = cold_microseconds(
        device, on, shape, batch, [&](const __half* w) { multiply_blas(on, shape, batch, w); });
    const LightProduct product(on, shape, batch);
    require(product.algorithms() > 0, "cuBLASLt heuristics");
    double light = 1e30;
    for (int algorithm = 0; algorithm < product.algorithms(); ++algorithm) {
      if (!product.works(algorithm)) {
        continue;
      }
      light = std::min(light, cold_microseconds(device, on, shape, batch, [&](const __half* w) {
                         product.multiply(algorithm, w, device.stream);
                       }));
    }
    const double best = std::min(blas, light);
    const double bytes = static_cast<double>(shape.weights() * sizeof(__half));
    std::printf("| [%zu, %zu] | %zu | %.1f | %.1f | %.0f | %.1f |\n", shape.rows, shape.cols, batch,
                blas, light, bytes / best * 1e-3,
                2.0 * static_cast<double>(shape.weights() * batch) / best * 1e-6);
  }
}

}  // namespace

void print_matmul_rates(const Device& device) {
  std::size_t weights = 0;
  for (const Shape& shape : kShapes) {
    weights = std::max(weights, rotation(device, shape) * shape.weights());
  }
  Products on(weights);
  PROBE_BLAS(cublasCreate(&on.blas));
  PROBE_BLAS(cublasLtCreate(&on.light));
  PROBE_BLAS(cublasSetStream(on.blas, device.stream));
  PROBE_BLAS(cublasSetWorkspace(on.blas, on.workspace.data(), kWorkspace));
  const auto blocks = static_cast<unsigned>(device.multiprocessors * 8);
  fill<<<blocks, 256, 0, device.stream>>>(on.w.data(), on.w.size(), 2e-5F, 1);
  fill<<<blocks, 256, 0, device.stream>>>(on.x.data(), on.x.size(), 1e-3F, 2);
  PROBE_CUDA(cudaGetLastError());
  int version = 0;
  PROBE_BLAS(cublasGetVersion(on.blas, &version));
  std::printf("cuBLAS %d; GB/s are bytes of W over the faster of the two\n\n", version);
  std::printf("| fp16 W | batch | cuBLAS us | cuBLASLt us | GB/s | TFLOP/s |\n");
  std::printf("|---|---|---|---|---|---|\n");
  for (const Shape& shape : kShapes) {
    print_shape(device, on, shape);
  }
  std::printf("\n");
}

}  // namespace btc::probe
