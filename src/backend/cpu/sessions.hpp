#pragma once
/// Factories of the CPU sessions; `cpu_backend.cpp` assembles them. Workers are shared by the
/// backend and all of its sessions, because a session may outlive the backend.

#include <memory>
#include <span>

#include "backend/backend.hpp"
#include "backend/cpu/workers.hpp"

namespace btc {

std::unique_ptr<KMeansSession> make_cpu_kmeans(const PatternHistogram& histogram,
                                               std::shared_ptr<const Workers> workers);
std::unique_ptr<CodewordSearch> make_cpu_codewords(std::span<const Pattern> codewords,
                                                   int vector_length,
                                                   std::shared_ptr<const Workers> workers);
std::unique_ptr<CodewordSearch> make_cpu_linear_code(std::shared_ptr<const Workers> workers);
std::unique_ptr<ArbSession> make_cpu_arb(MatrixView<const float> w, MatrixView<const float> u,
                                         std::shared_ptr<const Workers> workers);
Matrix<float> cpu_factor(MatrixView<const float> h, const Workers& workers);

}  // namespace btc
