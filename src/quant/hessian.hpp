#pragma once
/// The Hessian of a Linear's inputs and its factor. The formula, scale and damping of H stand here.
///
/// H = (2 / N) sum over the N calibration sequences of X^T X, X [T, m], in sequence order; the
/// pipeline multiplies and adds in fp32 (`HessianSums`), `input_hessian` in fp64. Dead columns
/// (H_jj = 0) get H_jj = 1 and a zero weight column. Then lambda = damping * mean(diag H) is added
/// to the diagonal. U is upper triangular with (H + lambda I)^-1 = U^T U, so that
/// U_jj^2 = [((H + lambda I)_{j:,j:})^-1]_jj. @see GPTQ; ARB-LLM Sec. 3

#include <cstdint>
#include <optional>
#include <vector>

#include "backend/backend.hpp"
#include "common/matrix.hpp"
#include "quant/params.hpp"
#include "quant/row_blocks.hpp"

namespace btc {

/// H [m, m] of the inputs of one Linear, undamped; sums in double.
/// @param inputs [N * T, m], sequence after sequence; @param sequences N, each weighs the same
/// @throws InputError unless N >= 1 divides the rows
Matrix<float> input_hessian(MatrixView<const float> inputs, std::size_t sequences);

/// U of one shared input, and what is needed to undo the damping.
struct HessianFactor {
  Matrix<float> u;                          ///< [m, m] upper triangular
  double lambda = 0;                        ///< damping that was added to the diagonal
  int raised = 0;                           ///< how often lambda had to grow tenfold
  std::vector<std::uint32_t> dead_columns;  ///< ascending
  /// [m, k] Gram matrix S = H / 2 of each panel's inputs, undamped: row j has column j and the
  /// columns of its panel; empty unless `binarize.method` needs it
  Matrix<float> gram;
};

/// Damps and factorises. On failure lambda grows tenfold, up to 3 times.
/// @param h [m, m] symmetric; changed
/// @param damping in units of mean(diag H)
/// @throws NumericError if H is not finite or never becomes positive definite
HessianFactor factor_hessian(Matrix<float>& h, double damping, Backend& backend);

/// The same with what these settings need besides.
HessianFactor factor_inputs(Matrix<float>& h, const BinarizeParams& binarize,
                            const std::optional<CodebookParams>& codebook, Backend& backend);

/// tr(E H E^T) for the undamped H, from its factor: |E U^-1|^2 - lambda |E|^2 - dead columns.
/// @param e [n, m]
double output_energy(MatrixView<const float> e, const HessianFactor& factor);
/// The same from |E U^-1|^2, which `ArbSession::energy` computes on the device.
double undamped_energy(double damped, MatrixView<const float> e, const HessianFactor& factor,
                       const RowBlocks& rows = {});

}  // namespace btc
