#include "cuda/comm/gpu_aware_mpi.hpp"

#include <mpi.h>
#if __has_include(<mpi-ext.h>)
#include <mpi-ext.h>  // Open MPI and its descendants
#endif

namespace btc::cuda {

#ifdef OMPI_HAVE_MPI_EXT_CUDA
bool gpu_aware_mpi() { return MPIX_Query_cuda_support() == 1; }
#else
bool gpu_aware_mpi() { return false; }
#endif

}  // namespace btc::cuda
