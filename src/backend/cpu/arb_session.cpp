#include "backend/cpu/sessions.hpp"
#include "backend/reference/sessions.hpp"

namespace btc {

std::unique_ptr<ArbSession> make_cpu_arb(MatrixView<const float> w, MatrixView<const float> u,
                                         std::shared_ptr<const Workers> workers) {
  static_cast<void>(workers);
  return make_reference_arb(w, u);
}

}  // namespace btc
