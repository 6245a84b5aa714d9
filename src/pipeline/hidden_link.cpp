#include "pipeline/hidden_link.hpp"

#include <cstddef>
#include <span>

#include "common/error.hpp"

namespace btc {

namespace {
constexpr int kHiddenTag = 1;
}  // namespace

void HostLink::send(int to, const HiddenStates& hidden) {
  comm_.send(to, kHiddenTag,
             std::span(static_cast<const std::byte*>(hidden.ready()), hidden.bytes()));
}

void HostLink::receive(int from, HiddenStates& hidden) {
  comm_.receive(from, kHiddenTag,
                std::span(static_cast<std::byte*>(hidden.ready()), hidden.bytes()));
}

void DeviceLink::send(int to, const HiddenStates& hidden) {
  device_.send(to, hidden.ready(), hidden.bytes());
}

void DeviceLink::receive(int from, HiddenStates& hidden) {
  device_.receive(from, hidden.ready(), hidden.bytes());
}

std::unique_ptr<HiddenLink> make_hidden_link(const Communicator& comm, DeviceCommunicator* device,
                                             const TorchPlace& place) {
  if (place.on_device() && comm.size() > 1) {
    BTC_CHECK(device != nullptr, "blocks on devices of ", comm.size(),
              " ranks without a communicator between them");
    return std::make_unique<DeviceLink>(*device);
  }
  return std::make_unique<HostLink>(comm);
}

}  // namespace btc
