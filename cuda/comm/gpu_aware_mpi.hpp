#pragma once

namespace btc::cuda {

/// True only if the MPI library says that it takes device addresses.
bool gpu_aware_mpi();

}  // namespace btc::cuda
