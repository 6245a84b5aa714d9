#pragma once
/// Values that other programs computed (tests/golden/eval-golden.json), and the public task files.

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace btc::test {

inline nlohmann::json eval_golden() {
  std::ifstream file(BTC_SOURCE_DIR "/tests/golden/eval-golden.json");
  return nlohmann::json::parse(file);
}

inline std::filesystem::path shared_data() { return BTC_SOURCE_DIR "/../shared/data"; }

}  // namespace btc::test
