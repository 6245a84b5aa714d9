#include "calibration/activation_format.hpp"

#include <bit>
#include <cmath>
#include <cstdio>
#include <utility>

#include "common/error.hpp"
#include "common/half.hpp"
#include "common/hash.hpp"

namespace btc {
namespace {

/// Copies finite bf16 numbers as bits. @return false if one is something else
bool copy_bf16(std::span<const std::uint16_t> values, std::span<std::uint16_t> bits) {
  constexpr std::uint16_t kExponent = 0x7f80U;
  unsigned not_finite = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    not_finite |= (values[i] & kExponent) == kExponent ? 1U : 0U;
    bits[i] = values[i];
  }
  return not_finite == 0;
}
bool copy_bf16(std::span<const float> values, std::span<std::uint16_t> bits) {
  constexpr std::uint32_t kExponent = 0x7f800000U;
  std::uint32_t lost = 0;
  std::uint32_t not_finite = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto word = std::bit_cast<std::uint32_t>(values[i]);
    lost |= word & 0xffffU;
    not_finite |= (word & kExponent) == kExponent ? 1U : 0U;
    bits[i] = static_cast<std::uint16_t>(word >> 16U);
  }
  return lost == 0 && not_finite == 0;
}

float number(std::uint16_t bits) { return bf16_to_float(bits); }
float number(float value) { return value; }

}  // namespace

std::string hash_of_checksums(const std::vector<std::uint64_t>& checksums) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const std::uint64_t hash = xxh3_64(std::as_bytes(std::span(checksums)));
  std::string text;
  for (unsigned shift = 64; shift > 0; shift -= 4) {
    text += kDigits[(hash >> (shift - 4)) & 0xfU];
  }
  return text;
}

SequencePacker::SequencePacker(const std::filesystem::path& path, const ActivationHeader& header)
    : path_(path.string()),
      header_(header),
      bits_(header.tokens * header.hidden),
      checksums_(header.sequences),
      counts_(header.sequences) {
  BTC_CHECK(header.sequences > 0 && !bits_.empty(), path_, ": [", header.sequences, ", ",
            header.tokens, ", ", header.hidden, "] holds nothing");
}

std::span<const std::uint16_t> SequencePacker::pack(std::size_t sequence,
                                                    MatrixView<const float> hidden) {
  return pack_rows(sequence, hidden);
}

std::span<const std::uint16_t> SequencePacker::pack(std::size_t sequence,
                                                    MatrixView<const std::uint16_t> bits) {
  return pack_rows(sequence, bits);
}

template <typename T>
std::span<const std::uint16_t> SequencePacker::pack_rows(std::size_t sequence,
                                                         MatrixView<const T> values) {
  BTC_CHECK(sequence < header_.sequences, path_, ": sequence ", sequence, " of ",
            header_.sequences);
  BTC_CHECK(counts_[sequence] == 0, path_, ": sequence ", sequence, " is written twice");
  BTC_CHECK(values.rows() == header_.tokens && values.cols() == header_.hidden, path_,
            ": sequence ", sequence, " is [", values.rows(), ", ", values.cols(), "], expected [",
            header_.tokens, ", ", header_.hidden, "]");
  const std::span<std::uint16_t> bits(bits_);
  bool ok = true;
  for (std::size_t t = 0; t < header_.tokens; ++t) {
    ok = copy_bf16(values.row(t), bits.subspan(t * header_.hidden, header_.hidden)) && ok;
  }
  if (!ok) {
    refuse(sequence, values);
  }
  checksums_[sequence] = xxh3_64(std::as_bytes(bits));
  counts_[sequence] = 1;
  return bits;
}

template <typename T>
void SequencePacker::refuse(std::size_t sequence, MatrixView<const T> values) const {
  for (std::size_t t = 0; t < values.rows(); ++t) {
    for (std::size_t i = 0; i < values.cols(); ++i) {
      const float value = number(values(t, i));
      BTC_REQUIRE(NumericError, std::isfinite(value), path_, ": block ", header_.block,
                  ", sequence ", sequence, ", token ", t, ", column ", i, ": ", value,
                  " is not finite");
      BTC_CHECK(value == bf16_to_float(float_to_bf16(value)), path_, ": sequence ", sequence, ": ",
                value, " is not rounded to bf16");
    }
  }
  BTC_THROW(Error, path_, ": sequence ", sequence, " changed while it was written");
}

void SequencePacker::replace(std::vector<std::uint64_t> checksums,
                             std::vector<std::uint64_t> counts) {
  BTC_CHECK(checksums.size() == header_.sequences && counts.size() == header_.sequences, path_,
            ": expected ", header_.sequences, " of each");
  checksums_ = std::move(checksums);
  counts_ = std::move(counts);
}

void SequencePacker::check_complete() const {
  for (std::size_t s = 0; s < counts_.size(); ++s) {
    BTC_CHECK(counts_[s] == 1, path_, ": block ", header_.block, ": sequence ", s, " of ",
              counts_.size(), " was written ", counts_[s], " times, expected once");
  }
}

}  // namespace btc
