#include "backend/backend.hpp"
#include "common/error.hpp"

namespace btc {

std::unique_ptr<Backend> make_cuda_backend(int /*device*/, int /*threads*/) {
  // Without the device, all ranks give one reason, which is printed once.
  BTC_THROW(BackendUnavailable,
            "this program was built without CUDA (CMake option BTC_WITH_CUDA=OFF); "
            "choose the cpu backend");
}

}  // namespace btc
