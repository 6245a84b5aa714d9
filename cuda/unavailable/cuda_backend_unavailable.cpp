#include "backend/backend.hpp"
#include "comm/device_communicator.hpp"
#include "common/error.hpp"

namespace btc {
namespace {

constexpr const char* kReason =
    "this program was built without CUDA (CMake option BTC_WITH_CUDA=OFF); "
    "choose the cpu backend";

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(int /*device*/, int /*threads*/) {
  // Without the device, all ranks give one reason, which is printed once.
  throw BackendUnavailable(kReason);
}

int cuda_device_count() noexcept { return 0; }

std::string describe_cuda() { return concat("backend cuda: not available: ", kReason, "\n"); }

std::unique_ptr<DeviceCommunicator> make_device_communicator(const Communicator& /*comm*/,
                                                             int /*device*/) {
  throw BackendUnavailable(kReason);
}

}  // namespace btc
