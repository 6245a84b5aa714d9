#include "backend/cpu/arb_session.hpp"

#include <algorithm>

#include "backend/cpu/sessions.hpp"

namespace btc {

std::unique_ptr<ArbSession> make_cpu_arb(MatrixView<const float> w, MatrixView<const float> u,
                                         std::shared_ptr<const Workers> workers) {
  return std::make_unique<CpuArbSession>(w, u, std::move(workers));
}

CpuArbSession::CpuArbSession(MatrixView<const float> w, MatrixView<const float> u,
                             std::shared_ptr<const Workers> workers)
    : w_(w.rows(), w.cols()), u_(u), workers_(std::move(workers)) {
  BTC_CHECK(u.rows() == w.cols() && u.cols() == w.cols(), "W has ", w.cols(), " columns, U is [",
            u.rows(), ", ", u.cols(), "]");
  for (std::size_t i = 0; i < w.rows(); ++i) {
    std::copy(w.row(i).begin(), w.row(i).end(), w_.row(i).begin());
  }
}

Matrix<float> CpuArbSession::weights(Panel panel) const {
  Matrix<float> result(w_.rows(), panel.width());
  for (std::size_t i = 0; i < w_.rows(); ++i) {
    const auto row = w_.row(i).subspan(panel.begin, panel.width());
    std::copy(row.begin(), row.end(), result.row(i).begin());
  }
  return result;
}

}  // namespace btc
