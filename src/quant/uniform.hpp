#pragma once
/// Uniform quantization, the usual comparator: w = alpha * (level - zero), one alpha and one zero
/// per row and panel. @see GPTQ (Frantar et al. 2023)

#include "backend/backend.hpp"
#include "quant/hessian.hpp"
#include "quant/params.hpp"
#include "quant/quantized_linear.hpp"

namespace btc {

/// Levels 0 .. 2^bits - 1 of `binarize.uniform_bits`, panel by panel from left to right.
/// The range of a row of a panel is that of its (compensated) weights and 0; alpha is rounded to
/// fp16 before zero and levels are chosen, both by rounding halves away from 0. `rtn` leaves the
/// weights as they are; `gptq` pushes the error of every column to the later ones.
/// @param session holds the weights; changed by `gptq`
QuantizedLinear quantize_uniform(ArbSession& session, std::size_t rows, const HessianFactor& factor,
                                 const BinarizeParams& params);

}  // namespace btc
