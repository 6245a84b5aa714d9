#pragma once
/// How capture moves hidden states from rank to rank.

#include <memory>

#include "comm/communicator.hpp"
#include "comm/device_communicator.hpp"
#include "model/hidden_states.hpp"

namespace btc {

/// One rank's messages to another arrive in order. Each call waits until the hidden states may be
/// read or used again.
class HiddenLink {
 public:
  virtual ~HiddenLink() = default;
  /// May wait until rank `to` receives. @throws MpiError, DeviceError
  virtual void send(int to, const HiddenStates& hidden) = 0;
  /// @param hidden of the sender's shape; overwritten
  virtual void receive(int from, HiddenStates& hidden) = 0;
};

/// For hidden states in memory of the host.
class HostLink final : public HiddenLink {
 public:
  /// @param comm lives as long as this
  explicit HostLink(const Communicator& comm) : comm_(comm) {}
  void send(int to, const HiddenStates& hidden) override;
  void receive(int from, HiddenStates& hidden) override;

 private:
  const Communicator& comm_;
};

/// For hidden states in memory of a device: they never pass through a host matrix.
class DeviceLink final : public HiddenLink {
 public:
  /// @param device lives as long as this
  explicit DeviceLink(DeviceCommunicator& device) : device_(device) {}
  void send(int to, const HiddenStates& hidden) override;
  void receive(int from, HiddenStates& hidden) override;

 private:
  DeviceCommunicator& device_;
};

/// That of a rank whose blocks run at `place`.
/// @param device between the ranks; may be null on the CPU, and where there is one rank
std::unique_ptr<HiddenLink> make_hidden_link(const Communicator& comm, DeviceCommunicator* device,
                                             const TorchPlace& place);

}  // namespace btc
