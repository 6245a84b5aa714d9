#include "comm/device_binding.hpp"

#include <algorithm>
#include <cstdlib>

#include "common/error.hpp"

namespace btc {
namespace {

constexpr const char* kVariable = "CUDA_VISIBLE_DEVICES";

}  // namespace

int choose_device(int local_rank, int device_count, const std::optional<std::string>& visible) {
  BTC_CHECK(local_rank >= 0, "local rank ", local_rank);
  BTC_REQUIRE(BackendUnavailable, visible != "", kVariable,
              " is set and empty, which hides every CUDA device; unset it, name devices in it "
              "(0,1), or choose the cpu backend");
  return device_count > 0 ? local_rank % device_count : 0;
}

int device_of_rank(int local_rank, int device_count) {
  const char* const value = std::getenv(kVariable);
  return choose_device(local_rank, device_count,
                       value == nullptr ? std::nullopt : std::optional<std::string>(value));
}

std::vector<std::string> describe_devices(const Communicator& comm, int local_rank, int device,
                                          int device_count) {
  std::vector<std::string> lines = comm.all_gather(
      concat("local rank ", local_rank, "): device ", device, " of ", device_count));
  const std::vector<std::string> hosts = comm.host_names();
  for (std::size_t rank = 0; rank < lines.size(); ++rank) {
    lines[rank] = concat("rank ", rank, " (", hosts[rank], ", ", lines[rank]);
  }
  return lines;
}

std::string shared_device(std::span<const std::string> places) {
  for (auto place = places.begin(); place != places.end(); ++place) {
    const auto first = std::find(places.begin(), place, *place);
    if (first != place) {
      return concat("ranks ", first - places.begin(), " and ", place - places.begin(),
                    " share the device at ", *place);
    }
  }
  return {};
}

}  // namespace btc
