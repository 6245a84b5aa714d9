#include "cuda/arb/session.cuh"

#include <utility>

#include "cuda/sessions.cuh"

namespace btc::cuda {

std::unique_ptr<btc::ArbSession> make_arb(std::shared_ptr<const Context> context,
                                          MatrixView<const float> w, MatrixView<const float> u) {
  BTC_CHECK(u.rows() == w.cols() && u.cols() == w.cols(), "W has ", w.cols(), " columns, U is [",
            u.rows(), ", ", u.cols(), "]");
  context->make_current();
  return std::make_unique<ArbSession>(std::move(context), w, u);
}

ArbSession::ArbSession(std::shared_ptr<const Context> context, MatrixView<const float> w,
                       MatrixView<const float> u)
    : context_(std::move(context)), w_(*context_, w), u_(*context_, u) {}

Matrix<float> ArbSession::weights(Panel panel) const {
  context_->make_current();
  return packed(*context_, columns(panel)).to_matrix();
}

}  // namespace btc::cuda
