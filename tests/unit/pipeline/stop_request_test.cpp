#include "pipeline/stop_request.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

namespace btc {
namespace {

std::filesystem::path stop_file() {
  return std::filesystem::path(::testing::TempDir()) / ("STOP_" + std::to_string(getpid()));
}

TEST(StopRequest, NothingAsksForAStop) {
  StopRequest stop(stop_file(), std::nullopt);
  EXPECT_FALSE(stop.requested());
  EXPECT_EQ(stop.reason(), nullptr);
}

TEST(StopRequest, TheStopFileIsSeen) {
  std::ofstream(stop_file()) << "";
  StopRequest stop(stop_file(), std::nullopt);
  EXPECT_TRUE(stop.requested());
  EXPECT_STREQ(stop.reason(), "stop file");
  std::filesystem::remove(stop_file());
  EXPECT_TRUE(stop.requested()) << "a request stays";
}

TEST(StopRequest, AUnitThatWouldEndTooLateIsNotBegun) {
  StopRequest stop(stop_file(), 0.01);  // 36 s
  EXPECT_FALSE(stop.requested(30));
  EXPECT_TRUE(stop.requested(37));
  EXPECT_STREQ(stop.reason(), "--max-hours");
}

TEST(StopRequest, ASignalIsRemembered) {
  install_stop_signals();
  StopRequest stop(stop_file(), std::nullopt);
  EXPECT_FALSE(stop.requested());
  std::raise(SIGUSR1);
  EXPECT_TRUE(stop.requested());
  EXPECT_STREQ(stop.reason(), "signal");
}

}  // namespace
}  // namespace btc
