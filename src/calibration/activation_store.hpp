#pragma once
/// Block inputs on disk: one HDF5 file per block, bf16, one sequence per chunk with fletcher32, and
/// an XXH3-64 per sequence.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/matrix.hpp"

namespace btc {

/// What a file holds.
struct ActivationHeader {
  int block = 0;
  std::size_t sequences = 0;  ///< S
  std::size_t tokens = 0;     ///< T
  std::size_t hidden = 0;     ///< d
  std::string fingerprint;    ///< of the unit that wrote it
};

/// Rounds each value to bf16, in place. Block inputs pass through this everywhere, so that it makes
/// no difference whether they came from a file or from the neighbouring rank.
void round_to_bf16(MatrixView<float> values);

/// Writes one file, sequences in any order, each once.
class ActivationWriter {
 public:
  ActivationWriter(const std::filesystem::path& path, const ActivationHeader& header);
  ~ActivationWriter();
  ActivationWriter(const ActivationWriter&) = delete;
  ActivationWriter& operator=(const ActivationWriter&) = delete;
  /// @param hidden [T, d], bf16 values
  /// @throws NumericError naming block, sequence, token and column of a value that is not finite
  void write(std::size_t sequence, MatrixView<const float> hidden);
  /// The same from bf16 bits [T, d].
  void write(std::size_t sequence, MatrixView<const std::uint16_t> bits);
  /// @return size in bytes. @throws Error naming the first sequence that was not written
  std::size_t commit();
  /// What `ActivationReader::content_hash` will say.
  [[nodiscard]] std::string content_hash() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Reads one file, sequence by sequence, at most `ring` sequences in memory; a thread reads ahead
/// (plain pread of the chunks: HDF5 itself is not thread-safe). It may be dropped at any time.
class ActivationReader {
 public:
  /// @throws FormatError if the file is damaged, IoError if absent
  explicit ActivationReader(const std::filesystem::path& path, std::size_t ring = 3);
  /// Reads the sequences `order` instead of all in ascending order: any subset, also repeatedly.
  /// @throws Error if the file has no such sequence
  ActivationReader(const std::filesystem::path& path, std::span<const std::size_t> order,
                   std::size_t ring = 3);
  ~ActivationReader();
  ActivationReader(const ActivationReader&) = delete;
  ActivationReader& operator=(const ActivationReader&) = delete;
  [[nodiscard]] const ActivationHeader& header() const;
  /// The next sequence [T, d] in order.
  /// @throws FormatError naming file, block and sequence when its checksum does not match
  Matrix<float> next();
  /// The same into memory of the caller [T, d], which saves allocating it anew each time.
  void next(MatrixView<float> hidden);
  /// The same as bf16 bits.
  void next(MatrixView<std::uint16_t> bits);
  /// XXH3-64 over the stored per-sequence checksums: stands for the file's content.
  [[nodiscard]] std::string content_hash() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace btc
