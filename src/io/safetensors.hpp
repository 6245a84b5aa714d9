#pragma once
/// The safetensors container: memory-mapped reading, canonical writing.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/atomic_file.hpp"

namespace btc {

/// Element types this project knows; a file may hold others, which cannot be read.
enum class DType { kU8, kI8, kI32, kI64, kF16, kBf16, kF32, kF64, kOther };

/// Bytes per element; 0 for kOther.
std::size_t size_of(DType dtype);
/// `F16`, `BF16`, ... as in the file.
std::string_view name_of(DType dtype);

/// A tensor inside a file. `bytes` borrows from the mapping (or from the caller when writing).
struct TensorView {
  std::string name;
  DType dtype = DType::kOther;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
  std::size_t file_offset = 0;  ///< of the first byte; reading only
  [[nodiscard]] std::size_t element_count() const;
};

/// An open, memory-mapped file. Copies share the mapping (a mapping is immutable).
class SafetensorsFile {
 public:
  /// Checks the header completely: length, JSON, dtypes, shapes against byte ranges, no overlap, no
  /// hole, no duplicate name, no trailing byte. @throws IoError, FormatError
  static SafetensorsFile open(const std::filesystem::path& path);
  /// Reading a mapped byte behind the end of a file ends the process without a word: call before
  /// reading a file that others may change. @throws FormatError if it became shorter
  void check_not_cut() const;
  [[nodiscard]] const std::filesystem::path& path() const;
  /// In file order.
  [[nodiscard]] const std::vector<TensorView>& tensors() const;
  [[nodiscard]] const TensorView* find(std::string_view name) const;
  /// @throws FormatError naming file and tensor if absent
  [[nodiscard]] const TensorView& at(std::string_view name) const;
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const;
  [[nodiscard]] std::size_t header_bytes() const;  ///< 8 + N
  [[nodiscard]] std::size_t file_bytes() const;

 private:
  struct Mapping;
  std::shared_ptr<const Mapping> mapping_;  // shared by copies of this object
};

/// Values as fp32. @throws FormatError for a dtype other than F16, BF16, F32
std::vector<float> to_float(const TensorView& tensor);
/// Part of a tensor: `count` elements from element `first`, into `out`.
void to_float(const TensorView& tensor, std::size_t first, std::span<float> out);

/// Size and SHA-256 of a file just written.
struct WrittenFile {
  std::size_t bytes = 0;
  std::string sha256;
};

/// Writes a file tensor by tensor, in canonical order: (element size descending, name), no holes,
/// header padded with spaces so that 8 + N is a multiple of 64. Atomic: without `commit` nothing
/// remains. The bytes depend on the arguments only.
class SafetensorsWriter {
 public:
  /// Writes the header. Of `tensors`, only name, dtype and shape count.
  SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorView> tensors,
                    const std::map<std::string, std::string>& metadata);
  /// The tensors in the order in which `append` expects their bytes.
  [[nodiscard]] const std::vector<TensorView>& order() const { return tensors_; }
  /// Bytes of the next tensor, all at once.
  void append(std::span<const std::byte> bytes);
  /// @pre every tensor was appended
  WrittenFile commit();

 private:
  std::vector<TensorView> tensors_;
  std::size_t next_ = 0;
  AtomicFile file_;
};

/// All tensors at once, each with its bytes.
WrittenFile write_safetensors(const std::filesystem::path& path, std::vector<TensorView> tensors,
                              const std::map<std::string, std::string>& metadata);

}  // namespace btc
