#include "common/error.hpp"
#include "cuda/comm/communicators.hpp"

namespace btc::cuda {

std::string nccl_version() { return {}; }

std::unique_ptr<DeviceCommunicator> make_nccl(const Communicator& /*comm*/, int /*device*/) {
  BTC_THROW(BackendUnavailable, "this program was built without NCCL");
}

}  // namespace btc::cuda
