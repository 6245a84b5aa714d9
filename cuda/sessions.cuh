#pragma once
/// Factories of the CUDA sessions; `cuda_backend.cu` assembles them. The context is shared, because
/// a session may outlive the backend.

#include <memory>
#include <span>

#include "backend/backend.hpp"
#include "cuda/runtime/context.cuh"

namespace btc::cuda {

std::unique_ptr<KMeansSession> make_kmeans(std::shared_ptr<const Context> context,
                                           const PatternHistogram& histogram);
std::unique_ptr<btc::CodewordSearch> make_codewords(std::shared_ptr<const Context> context,
                                                    std::span<const Pattern> codewords,
                                                    int vector_length);
std::unique_ptr<btc::ArbSession> make_arb(std::shared_ptr<const Context> context,
                                          MatrixView<const float> w, MatrixView<const float> u);
Matrix<float> factor(const Context& context, MatrixView<const float> h);

}  // namespace btc::cuda
