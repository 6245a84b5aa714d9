#include "backend/reference/arb_session.hpp"

#include "backend/reference/sessions.hpp"

namespace btc {

std::unique_ptr<ArbSession> make_reference_arb(MatrixView<const float> w,
                                               MatrixView<const float> u) {
  return std::make_unique<ReferenceArbSession>(w, u);
}

ReferenceArbSession::ReferenceArbSession(MatrixView<const float> w, MatrixView<const float> u)
    : w_(w.rows(), w.cols()), u_(u) {
  BTC_CHECK(u.rows() == w.cols() && u.cols() == w.cols(), "W has ", w.cols(), " columns, U is [",
            u.rows(), ", ", u.cols(), "]");
  for (std::size_t i = 0; i < w.rows(); ++i) {
    for (std::size_t j = 0; j < w.cols(); ++j) {
      w_(i, j) = w(i, j);
    }
  }
}

Matrix<float> ReferenceArbSession::weights(Panel panel) const {
  Matrix<float> result(w_.rows(), panel.width());
  for (std::size_t i = 0; i < w_.rows(); ++i) {
    for (std::size_t j = 0; j < panel.width(); ++j) {
      result(i, j) = w_(i, panel.begin + j);
    }
  }
  return result;
}

Matrix<float> ReferenceArbSession::metric(Panel panel) const {
  Matrix<float> result(w_.rows(), panel.width());
  for (std::size_t i = 0; i < w_.rows(); ++i) {
    for (std::size_t j = 0; j < panel.width(); ++j) {
      const float w = w_(i, panel.begin + j);
      const float u = u_(panel.begin + j, panel.begin + j);
      result(i, j) = (w * w) / (u * u);
    }
  }
  return result;
}

void ReferenceArbSession::compensate(Panel panel, MatrixView<const float> q, Compensation kind) {
  if (kind == Compensation::kNone) {
    return;
  }
  std::vector<double> error(panel.width());
  for (std::size_t i = 0; i < w_.rows(); ++i) {
    for (std::size_t j = 0; j < panel.width(); ++j) {
      const std::size_t column = panel.begin + j;
      double left = static_cast<double>(w_(i, column)) - static_cast<double>(q(i, j));
      if (kind != Compensation::kBlock) {
        for (std::size_t l = 0; l < j; ++l) {
          left -= error[l] * static_cast<double>(u_(panel.begin + l, column));
        }
      }
      error[j] = left / static_cast<double>(u_(column, column));
    }
    for (std::size_t column = panel.end; column < w_.cols(); ++column) {
      double push = 0;
      for (std::size_t j = 0; j < panel.width(); ++j) {
        push += error[j] * static_cast<double>(u_(panel.begin + j, column));
      }
      w_(i, column) = static_cast<float>(static_cast<double>(w_(i, column)) - push);
    }
  }
}

double ReferenceArbSession::energy(MatrixView<const float> e) const {
  double sum = 0;
  std::vector<double> x(e.cols());  // x U = a row of e
  for (std::size_t i = 0; i < e.rows(); ++i) {
    for (std::size_t j = 0; j < e.cols(); ++j) {
      double left = static_cast<double>(e(i, j));
      for (std::size_t l = 0; l < j; ++l) {
        left -= x[l] * static_cast<double>(u_(l, j));
      }
      x[j] = left / static_cast<double>(u_(j, j));
      sum += x[j] * x[j];
    }
  }
  return sum;
}

}  // namespace btc
