/// Runs a fuzz target on its seeds and on mutations of them, the same ones each time: the short run
/// for every build, also where there is no libFuzzer.
///   NAME_replay DIRECTORY MUTATIONS

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "common/rng.hpp"
#include "fuzz_input.hpp"
#include "support/scratch.hpp"

namespace btc::fuzz {
namespace {

void run(const std::string& bytes) {
  read_input(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

/// One change: a bit, a byte of an edge value, a part cut out, a part twice, or the end cut off.
void change(std::string& bytes, Rng& rng) {
  if (bytes.empty()) {
    return;
  }
  constexpr std::array<char, 9> kEdges = {'\0', '\1', '\x7f', '\x80', '\xff', '0', '{', ']', '"'};
  const std::size_t at = rng.below(bytes.size());
  const std::size_t length = 1 + rng.below(std::min<std::size_t>(16, bytes.size() - at));
  switch (rng.below(5)) {
    case 0:
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
      break;
    case 1:
      bytes[at] = kEdges[rng.below(kEdges.size())];
      break;
    case 2:
      bytes.erase(at, length);
      break;
    case 3:
      bytes.insert(at, bytes.substr(at, length));
      break;
    default:
      bytes.resize(at);
      break;
  }
}

void replay(const std::filesystem::path& seed, std::size_t mutations) {
  const std::string bytes = test::read_bytes(seed);
  run(bytes);
  for (std::size_t k = 0; k < mutations; ++k) {
    Rng rng(derive_seed(bytes.size(), seed.filename().string(), k));
    std::string mutated = bytes;
    for (std::size_t changes = 1 + rng.below(4); changes > 0; --changes) {
      change(mutated, rng);
    }
    run(mutated);
  }
}

}  // namespace
}  // namespace btc::fuzz

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "NAME_replay DIRECTORY MUTATIONS\n";
    return 2;
  }
  std::vector<std::filesystem::path> seeds;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    seeds.push_back(entry.path());
  }
  std::sort(seeds.begin(), seeds.end());
  for (const auto& seed : seeds) {
    btc::fuzz::replay(seed, std::stoul(argv[2]));
  }
  std::cout << seeds.size() << " seeds, " << argv[2] << " mutations of each\n";
  return seeds.empty() ? 1 : 0;
}
