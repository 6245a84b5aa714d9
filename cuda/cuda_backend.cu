#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include "backend/backend.hpp"
#include "backend/cpu/workers.hpp"
#include "common/linear_code.hpp"
#include "cuda/runtime/nvtx.cuh"
#include "cuda/sessions.cuh"

namespace btc {
namespace {

/// Most ARB sessions whose work overlaps on the device. The Linears of a block are seven.
constexpr int kMostContexts = 8;

/// Contexts of one device, made when they are first wanted.
class Contexts {
 public:
  Contexts(int device, int count) : device_(device), all_(static_cast<std::size_t>(count)) {}

  /// The next one in turn.
  std::shared_ptr<const cuda::Context> next() {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<const cuda::Context>& context = all_[turn_++ % all_.size()];
    if (context == nullptr) {
      context = std::make_shared<const cuda::Context>(device_);
    }
    return context;
  }

 private:
  int device_;
  std::mutex mutex_;
  std::size_t turn_ = 0;
  std::vector<std::shared_ptr<const cuda::Context>> all_;
};

/// Codebooks and factors share one stream. Sessions of Linears, which are quantized at once, have
/// streams of their own: while one thread waits for its panel, the panels of others are at work.
class CudaBackend final : public Backend {
 public:
  CudaBackend(int device, int threads)
      : context_(std::make_shared<const cuda::Context>(device)),
        arb_contexts_(device, std::clamp(threads, 1, kMostContexts)),
        workers_(threads) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "cuda"; }
  void for_each(std::size_t count, const std::function<void(std::size_t)>& body) const override {
    workers_.for_blocks(count, 1, [&](std::size_t begin, std::size_t) { body(begin); });
  }
  std::unique_ptr<KMeansSession> open_kmeans(const PatternHistogram& histogram) override {
    return cuda::make_kmeans(context_, histogram);
  }
  std::unique_ptr<CodewordSearch> open_codewords(std::span<const Pattern> codewords,
                                                 int vector_length) override {
    return cuda::make_codewords(context_, codewords, vector_length);
  }
  std::unique_ptr<CodewordSearch> open_linear_code() override {
    return cuda::make_codewords(context_, linear_code_words(), kLinearCodeLength);
  }
  std::unique_ptr<ArbSession> open_arb(MatrixView<const float> w,
                                       MatrixView<const float> u) override {
    return cuda::make_arb(arb_contexts_.next(), w, u);
  }
  Matrix<float> factor(MatrixView<const float> h) override { return cuda::factor(*context_, h); }
  [[nodiscard]] std::shared_ptr<void> range(std::string_view name) override {
    return std::make_shared<cuda::NvtxRange>(std::string(name));
  }

 private:
  std::shared_ptr<const cuda::Context> context_;
  Contexts arb_contexts_;
  Workers workers_;
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(int device, int threads) {
  return std::make_unique<CudaBackend>(device, threads);
}

}  // namespace btc
