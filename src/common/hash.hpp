#pragma once
/// SHA-256 for files that others check, XXH3 for data that only we check.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace btc {

/// Incremental SHA-256.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::span<const std::byte> bytes);
  /// 64 lower-case hex digits; the object must not be used afterwards.
  std::string finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// SHA-256 of a text: 64 hex digits.
std::string sha256_hex(std::string_view text);
/// SHA-256 of a file, read in pieces. @throws IoError if it cannot be read
std::string sha256_file(const std::filesystem::path& path);
/// XXH3-64.
std::uint64_t xxh3_64(std::span<const std::byte> bytes);
/// XXH3-128 as 32 hex digits.
std::string xxh3_128_hex(std::span<const std::byte> bytes);

}  // namespace btc
