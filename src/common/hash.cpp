#include "common/hash.hpp"

#include <openssl/evp.h>
#include <xxhash.h>

#include <array>
#include <fstream>
#include <vector>

#include "common/error.hpp"

namespace btc {

namespace {
struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

std::string to_hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}
}  // namespace

struct Sha256::Context {
  std::unique_ptr<EVP_MD_CTX, FreeContext> handle;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  context_->handle.reset(EVP_MD_CTX_new());
  BTC_CHECK(context_->handle != nullptr, "OpenSSL has no memory for a digest");
  BTC_CHECK(EVP_DigestInit_ex(context_->handle.get(), EVP_sha256(), nullptr) == 1,
            "OpenSSL offers no SHA-256");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
  BTC_CHECK(EVP_DigestUpdate(context_->handle.get(), bytes.data(), bytes.size()) == 1,
            "SHA-256 update failed");
}

std::string Sha256::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  BTC_CHECK(EVP_DigestFinal_ex(context_->handle.get(), digest.data(), &length) == 1,
            "SHA-256 final failed");
  return to_hex({digest.data(), length});
}

std::string sha256_hex(std::string_view text) {
  Sha256 sha;
  sha.update(std::as_bytes(std::span(text.data(), text.size())));
  return sha.finish();
}

std::string sha256_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  BTC_REQUIRE(IoError, file.good(), "cannot open ", path.string());
  constexpr std::size_t kPiece = 1U << 20U;
  std::vector<char> buffer(kPiece);
  Sha256 sha;
  while (file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    sha.update(std::as_bytes(std::span(buffer.data(), static_cast<std::size_t>(file.gcount()))));
  }
  BTC_REQUIRE(IoError, file.eof(), "cannot read ", path.string());
  return sha.finish();
}

std::uint64_t xxh3_64(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::string xxh3_128_hex(std::span<const std::byte> bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  return to_hex({canonical.digest, sizeof canonical.digest});
}

}  // namespace btc
