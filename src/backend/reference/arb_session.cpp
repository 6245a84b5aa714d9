#include "backend/reference/sessions.hpp"
#include "common/error.hpp"

namespace btc {

std::unique_ptr<ArbSession> make_reference_arb(MatrixView<const float> w,
                                               MatrixView<const float> u) {
  BTC_THROW(Error, "reference backend: no session yet for a weight [", w.rows(), ", ", w.cols(),
            "] with U [", u.rows(), ", ", u.cols(), "]");
}

}  // namespace btc
