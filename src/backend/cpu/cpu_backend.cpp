#include <memory>

#include "backend/backend.hpp"
#include "backend/cpu/sessions.hpp"

namespace btc {
namespace {

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads) : workers_(std::make_shared<const Workers>(threads)) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "cpu"; }
  void for_each(std::size_t count, const std::function<void(std::size_t)>& body) const override {
    workers_->for_blocks(count, 1, [&](std::size_t begin, std::size_t) { body(begin); });
  }
  std::unique_ptr<KMeansSession> open_kmeans(const PatternHistogram& histogram) override {
    return make_cpu_kmeans(histogram, workers_);
  }
  std::unique_ptr<CodewordSearch> open_codewords(std::span<const Pattern> codewords,
                                                 int vector_length) override {
    return make_cpu_codewords(codewords, vector_length, workers_);
  }
  std::unique_ptr<CodewordSearch> open_linear_code() override {
    return make_cpu_linear_code(workers_);
  }
  std::unique_ptr<ArbSession> open_arb(MatrixView<const float> w,
                                       MatrixView<const float> u) override {
    return make_cpu_arb(w, u, workers_);
  }
  Matrix<float> factor(MatrixView<const float> h) override { return cpu_factor(h, *workers_); }

 private:
  std::shared_ptr<const Workers> workers_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(int threads) {
  return std::make_unique<CpuBackend>(threads);
}

}  // namespace btc
