#include "pipeline/run.hpp"

#include <gmock/gmock.h>

namespace btc {
namespace {

PipelineConfig with(BackendKind backend, CodebookScope scope) {
  PipelineConfig config;
  config.compute.backend = backend;
  config.codebook.emplace().scope = scope;
  return config;
}

TEST(NeedsDeviceCommunicator, WhereHiddenStatesOrCountsMoveBetweenDevices) {
  const TorchPlace device{0};
  for (const CodebookScope scope : {CodebookScope::kModel, CodebookScope::kBlock}) {
    EXPECT_TRUE(needs_device_communicator(with(BackendKind::kCuda, scope), device));
    EXPECT_FALSE(needs_device_communicator(with(BackendKind::kCpu, scope), {}));
    EXPECT_EQ(needs_device_communicator(with(BackendKind::kCuda, scope), {}),
              scope == CodebookScope::kModel);
  }
  PipelineConfig none = with(BackendKind::kCuda, CodebookScope::kModel);
  none.codebook.reset();
  EXPECT_FALSE(needs_device_communicator(none, {}));
  none.codebook.emplace().codec = Codec::kLinear2016;
  EXPECT_FALSE(needs_device_communicator(none, {})) << "a linear code has no counts";
}

}  // namespace
}  // namespace btc
