#include <memory>

#include "backend/backend.hpp"
#include "backend/reference/sessions.hpp"
#include "common/linear_code.hpp"

namespace btc {
namespace {

class ReferenceBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "reference"; }
  void for_each(std::size_t count, const std::function<void(std::size_t)>& body) const override {
    for (std::size_t i = 0; i < count; ++i) {
      body(i);
    }
  }
  std::unique_ptr<KMeansSession> open_kmeans(const PatternHistogram& histogram) override {
    return make_reference_kmeans(histogram);
  }
  std::unique_ptr<CodewordSearch> open_codewords(std::span<const Pattern> codewords,
                                                 int vector_length) override {
    return make_reference_codewords(codewords, vector_length);
  }
  std::unique_ptr<CodewordSearch> open_linear_code() override {
    return make_reference_codewords(linear_code_words(), kLinearCodeLength);
  }
  std::unique_ptr<ArbSession> open_arb(MatrixView<const float> w,
                                       MatrixView<const float> u) override {
    return make_reference_arb(w, u);
  }
  Matrix<float> factor(MatrixView<const float> h) override { return reference_factor(h); }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace btc
