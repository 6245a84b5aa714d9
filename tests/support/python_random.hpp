#pragma once
/// Python's `random.Random(seed)`: MT19937 (Matsumoto and Nishimura) seeded by an array, and what
/// the module makes of its numbers. `std::mt19937{seed}` is seeded in another way.

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace btc::test {

class PythonRandom {
 public:
  explicit PythonRandom(std::uint32_t seed) {
    state_[0] = 19650218;
    for (std::size_t i = 1; i < kSize; ++i) {
      state_[i] = 1812433253U * mixed(i - 1) + static_cast<std::uint32_t>(i);
    }
    // The array of seeds has one element, so its index stays 0.
    std::size_t i = 1;
    for (std::size_t k = 0; k < kSize; ++k) {
      state_[i] = (state_[i] ^ (mixed(i - 1) * 1664525U)) + seed;
      i = next_index(i);
    }
    for (std::size_t k = 1; k < kSize; ++k) {
      state_[i] = (state_[i] ^ (mixed(i - 1) * 1566083941U)) - static_cast<std::uint32_t>(i);
      i = next_index(i);
    }
    state_[0] = 0x80000000U;
  }

  /// `getrandbits(32)`
  std::uint32_t bits32() {
    if (position_ == kSize) {
      renew();
    }
    std::uint32_t y = state_[position_++];
    y ^= y >> 11U;
    y ^= (y << 7U) & 0x9d2c5680U;
    y ^= (y << 15U) & 0xefc60000U;
    return y ^ (y >> 18U);
  }

  /// `randrange(n)`, n < 2^32
  std::uint32_t below(std::uint32_t n) {
    unsigned bits = 0;
    while (bits < 32 && (n >> bits) != 0) {
      ++bits;
    }
    while (true) {
      const std::uint32_t value = bits32() >> (32U - bits);
      if (value < n) {
        return value;
      }
    }
  }

  /// `random()`, in [0, 1)
  double real() {
    const std::uint32_t high = bits32() >> 5U;
    const std::uint32_t low = bits32() >> 6U;
    return (high * 67108864.0 + low) / 9007199254740992.0;
  }

  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i-- > 1;) {
      std::swap(items[i], items[below(static_cast<std::uint32_t>(i + 1))]);
    }
  }

 private:
  static constexpr std::size_t kSize = 624;
  static constexpr std::size_t kShift = 397;

  [[nodiscard]] std::uint32_t mixed(std::size_t i) const { return state_[i] ^ (state_[i] >> 30U); }

  /// The next index; behind the last the first takes its value and is passed over.
  std::size_t next_index(std::size_t i) {
    if (i + 1 < kSize) {
      return i + 1;
    }
    state_[0] = state_[kSize - 1];
    return 1;
  }

  void renew() {
    for (std::size_t i = 0; i < kSize; ++i) {
      const std::uint32_t y = (state_[i] & 0x80000000U) | (state_[(i + 1) % kSize] & 0x7fffffffU);
      state_[i] = state_[(i + kShift) % kSize] ^ (y >> 1U) ^ ((y & 1U) != 0 ? 0x9908b0dfU : 0U);
    }
    position_ = 0;
  }

  std::array<std::uint32_t, kSize> state_{};
  std::size_t position_ = kSize;
};

}  // namespace btc::test
