#pragma once
/// Kronecker products P = P1 (x) P2 that act on the inputs of a Linear. @see docs/transform.md
///
/// Row vectors: x of length m = a b is viewed as [a, b], row-major, and x P is P1^T X P2. An empty
/// factor is the identity.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "common/ids.hpp"
#include "common/matrix.hpp"

namespace btc {

/// The factors of one product as they are stored: values that fp16 holds exactly.
struct KroneckerFactors {
  Matrix<float> p1;  ///< [a, a], or empty: identity
  Matrix<float> p2;  ///< [b, b], or empty: identity
  [[nodiscard]] bool identity() const { return p1.empty() && p2.empty(); }
  bool operator==(const KroneckerFactors&) const = default;
};

/// The factors that stay in front of the Linears of a block, by index_of(SharedInput).
using OnlineFactors = std::array<KroneckerFactors, kSharedInputs.size()>;

/// [a, b] with a <= b, a b = width: of the pairs in which a or b is a multiple of 8 the one closest
/// to a square; of all pairs if there is none such.
/// @throws ConfigError for a prime width, which only a full matrix could transform
std::array<std::size_t, 2> factor_pair(std::size_t width);

/// An orthogonal matrix, uniform (Haar): Gram-Schmidt of normal random rows, in fp64.
Matrix<double> random_orthogonal(std::size_t size, std::uint64_t seed);

/// To the nearest fp16 values. @throws NumericError for a value that is not finite
Matrix<float> round_factor(const Matrix<double>& factor);

/// Inverse of a stored factor, in fp64.
/// @throws NumericError if its condition number is above `kMaxCondition`
Matrix<double> invert_factor(const Matrix<float>& factor);
inline constexpr double kMaxCondition = 1e3;

/// A stored factor in fp64.
Matrix<double> widen(const Matrix<float>& factor);
template <typename T>
Matrix<T> transposed(const Matrix<T>& matrix) {
  Matrix<T> result(matrix.cols(), matrix.rows());
  for (std::size_t i = 0; i < matrix.rows(); ++i) {
    for (std::size_t j = 0; j < matrix.cols(); ++j) {
      result(j, i) = matrix(i, j);
    }
  }
  return result;
}

/// Every row X of `rows`, viewed as [a, b], becomes left^T X right; sums in fp64, in fixed order.
/// @param left  [a, a] or empty (identity); a = width / b then
/// @param right [b, b] or empty
void apply_kronecker(MatrixView<float> rows, const Matrix<double>& left,
                     const Matrix<double>& right);

/// Weights for the transformed input x P: W -> W P^-T, with the inverse of the stored factors.
/// @throws NumericError as `invert_factor`
void enter_transform(const KroneckerFactors& factors, MatrixView<float> weights);
/// The way back: dense weights for the input as it is, Q -> Q P^T.
void fold_transform(const KroneckerFactors& factors, MatrixView<float> weights);
/// The same before it is rounded to fp32: calls `use` with the number of every row and its values.
void fold_rows(const KroneckerFactors& factors, MatrixView<const float> weights,
               const std::function<void(std::size_t, std::span<const double>)>& use);
/// dL/dQ from dL/dW of the folded weights: G -> G P.
void unfold_gradient(const KroneckerFactors& factors, MatrixView<float> gradient);
/// H = 2 X^T X of the input -> P^T H P of the transformed one.
void transform_hessian(const KroneckerFactors& factors, Matrix<float>& hessian);

}  // namespace btc
