#pragma once
/// What a call spends on the device, whoever starts its kernels: the records of CUPTI.

#include <cstddef>
#include <functional>
#include <map>
#include <string>

namespace btc::bench {

/// Sums over one call. Nothing overlaps on one stream: for one stream they are times too.
struct DeviceTime {
  double kernels_us = 0.0;
  double copies_us = 0.0;  ///< copies and fills, over the bus and on the device
  std::size_t kernels = 0;
  std::size_t copies = 0;
  double copied_bytes = 0.0;                   ///< over the bus and on the device
  std::map<std::string, double> us_by_kernel;  ///< by mangled name
};

/// Runs `call` under the records of CUPTI, which slow the host down: not inside timed rounds.
/// @throws std::runtime_error if CUPTI refuses
DeviceTime device_time(const std::function<void()>& call);

}  // namespace btc::bench
