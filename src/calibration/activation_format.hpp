#pragma once
/// What the writers of activation files have in common. Included by .cpp files of this module only.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "calibration/activation_store.hpp"
#include "common/matrix.hpp"

namespace btc {

inline constexpr std::string_view kActivationSchema = "btc.activations";
inline constexpr std::string_view kActivationVersion = "1.0";
inline constexpr std::string_view kActivationEncoding = "bf16";
inline constexpr std::string_view kHiddenDataset = "/hidden";  ///< u16 [S, T, d]
inline constexpr std::string_view kChecksumDataset = "/xxh3";  ///< u64 [S]

/// Writes all attributes; `File` is Hdf5File or Hdf5ParallelFile, with /hidden created.
template <typename File>
void write_header(File& file, const ActivationHeader& header) {
  file.set_attribute("/", "schema", kActivationSchema);
  file.set_attribute("/", "version", kActivationVersion);
  file.set_attribute("/", "block", std::int64_t{header.block});
  file.set_attribute("/", "fingerprint", header.fingerprint);
  file.set_attribute(kHiddenDataset, "encoding", kActivationEncoding);
}

/// 16 hex digits: XXH3-64 over the checksums, in the order of the sequences.
std::string hash_of_checksums(const std::vector<std::uint64_t>& checksums);

/// Turns sequences into bf16 bits, and remembers which there were and their checksums.
class SequencePacker {
 public:
  SequencePacker(const std::filesystem::path& path, const ActivationHeader& header);
  /// @return bits of `hidden` [T, d], row-major, valid until the next call
  /// @throws NumericError naming the value that is not finite; Error for a second time, another
  ///         shape, a value that is not a bf16 number
  std::span<const std::uint16_t> pack(std::size_t sequence, MatrixView<const float> hidden);
  /// The same from bf16 bits [T, d].
  std::span<const std::uint16_t> pack(std::size_t sequence, MatrixView<const std::uint16_t> bits);
  /// XXH3-64 of each sequence, 0 for those not packed here.
  [[nodiscard]] const std::vector<std::uint64_t>& checksums() const { return checksums_; }
  /// 1 for each sequence packed here, else 0.
  [[nodiscard]] const std::vector<std::uint64_t>& counts() const { return counts_; }
  /// Takes over what all ranks packed together.
  void replace(std::vector<std::uint64_t> checksums, std::vector<std::uint64_t> counts);
  /// @throws Error naming the first sequence that was not packed exactly once
  void check_complete() const;

 private:
  template <typename T>
  std::span<const std::uint16_t> pack_rows(std::size_t sequence, MatrixView<const T> values);
  template <typename T>
  [[noreturn]] void refuse(std::size_t sequence, MatrixView<const T> values) const;

  std::string path_;
  ActivationHeader header_;
  std::vector<std::uint16_t> bits_;
  std::vector<std::uint64_t> checksums_;
  std::vector<std::uint64_t> counts_;
};

}  // namespace btc
