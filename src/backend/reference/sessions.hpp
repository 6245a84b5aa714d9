#pragma once
/// Factories of the reference sessions; `reference_backend.cpp` assembles them.

#include <memory>
#include <span>

#include "backend/backend.hpp"

namespace btc {

std::unique_ptr<KMeansSession> make_reference_kmeans(const PatternHistogram& histogram);
std::unique_ptr<CodewordSearch> make_reference_codewords(std::span<const Pattern> codewords,
                                                         int vector_length);
std::unique_ptr<ArbSession> make_reference_arb(MatrixView<const float> w,
                                               MatrixView<const float> u);
Matrix<float> reference_factor(MatrixView<const float> h);

}  // namespace btc
