#pragma once
/// HDF5 files of one rank. This HDF5 is not thread-safe: one thread per rank calls it.
/// Every failure is an IoError or FormatError that carries HDF5's own error stack, file and object.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace btc {

/// `1.10.8`.
std::string hdf5_version();

/// Element types of our datasets.
enum class Hdf5Type { kU8, kU16, kU32, kU64, kI32, kI64, kF32, kF64 };

template <typename T>
constexpr Hdf5Type hdf5_type();
template <>
constexpr Hdf5Type hdf5_type<std::uint8_t>() {
  return Hdf5Type::kU8;
}
template <>
constexpr Hdf5Type hdf5_type<std::uint16_t>() {
  return Hdf5Type::kU16;
}
template <>
constexpr Hdf5Type hdf5_type<std::uint32_t>() {
  return Hdf5Type::kU32;
}
template <>
constexpr Hdf5Type hdf5_type<std::uint64_t>() {
  return Hdf5Type::kU64;
}
template <>
constexpr Hdf5Type hdf5_type<std::int32_t>() {
  return Hdf5Type::kI32;
}
template <>
constexpr Hdf5Type hdf5_type<std::int64_t>() {
  return Hdf5Type::kI64;
}
template <>
constexpr Hdf5Type hdf5_type<float>() {
  return Hdf5Type::kF32;
}
template <>
constexpr Hdf5Type hdf5_type<double>() {
  return Hdf5Type::kF64;
}

/// Layout of a dataset. Chunked datasets carry fletcher32 and no fill value.
struct DatasetLayout {
  std::vector<std::size_t> chunk;  ///< empty: contiguous
  bool deflated = false;           ///< chunks shuffled by bytes and deflated, level 4
};

/// A file open for writing (new, under a temporary name until `commit`) or for reading.
/// Metadata carry checksums, large objects begin on pages, and no file locks are taken: a rename
/// makes the file visible, and some cluster file systems cannot lock.
class Hdf5File {
 public:
  /// A new file that becomes visible as `path` by `commit` and leaves nothing otherwise.
  static Hdf5File create(const std::filesystem::path& path);
  /// @throws IoError if absent, FormatError if it is not exactly one complete HDF5 file
  static Hdf5File open(const std::filesystem::path& path);
  ~Hdf5File();
  Hdf5File(Hdf5File&&) noexcept;
  Hdf5File& operator=(Hdf5File&&) noexcept;

  /// Attributes of the root group ("/") or of a dataset.
  void set_attribute(std::string_view object, std::string_view name, std::string_view value);
  void set_attribute(std::string_view object, std::string_view name, std::int64_t value);
  void set_attribute(std::string_view object, std::string_view name, double value);
  [[nodiscard]] std::string text_attribute(std::string_view object, std::string_view name) const;
  [[nodiscard]] std::int64_t int_attribute(std::string_view object, std::string_view name) const;
  [[nodiscard]] double real_attribute(std::string_view object, std::string_view name) const;
  [[nodiscard]] bool has(std::string_view object) const;
  /// Names of the datasets and groups directly in a group, ascending.
  [[nodiscard]] std::vector<std::string> children(std::string_view group) const;

  /// Creates a dataset; intermediate groups are made as needed.
  void create_dataset(std::string_view name, Hdf5Type type, const std::vector<std::size_t>& shape,
                      const DatasetLayout& layout = {});
  /// Extents of a dataset. @throws FormatError if absent
  [[nodiscard]] std::vector<std::size_t> shape(std::string_view name) const;
  /// Writes / reads rows [first, first + count) of the leading dimension.
  template <typename T>
  void write_rows(std::string_view name, std::size_t first, std::size_t count,
                  std::span<const T> values) {
    write_raw(name, hdf5_type<T>(), first, count, std::as_bytes(values));
  }
  template <typename T>
  void read_rows(std::string_view name, std::size_t first, std::size_t count,
                 std::span<T> values) const {
    read_raw(name, hdf5_type<T>(), first, count, std::as_writable_bytes(values));
  }
  /// A whole dataset, created and written (contiguous) or read.
  template <typename T>
  void write(std::string_view name, const std::vector<std::size_t>& shape_of,
             std::span<const T> values) {
    create_dataset(name, hdf5_type<T>(), shape_of);
    write_raw(name, hdf5_type<T>(), 0, shape_of.empty() ? 1 : shape_of[0], std::as_bytes(values));
  }
  /// @throws FormatError if the element type is not as expected
  template <typename T>
  [[nodiscard]] std::vector<T> read(std::string_view name) const {
    const auto extents = shape(name);
    std::vector<T> values(element_count(name, hdf5_type<T>()));
    read_raw(name, hdf5_type<T>(), 0, extents.empty() ? 1 : extents[0],
             std::as_writable_bytes(std::span(values)));
    return values;
  }

  /// Byte offset of each chunk of a dataset chunked along its leading dimension, for direct reads:
  /// the chunk's elements, then 4 bytes of fletcher32, all inside the file.
  /// @throws FormatError if type or layout are others or a chunk is missing
  [[nodiscard]] std::vector<std::uint64_t> chunk_offsets(std::string_view name,
                                                         Hdf5Type type) const;

  /// Closes a new file and makes it durable and visible. @return its size in bytes
  std::size_t commit();

 private:
  struct State;
  explicit Hdf5File(std::unique_ptr<State> state);
  /// Elements of a dataset. @throws FormatError if the file is too short to hold them
  [[nodiscard]] std::size_t element_count(std::string_view name, Hdf5Type type) const;
  void write_raw(std::string_view name, Hdf5Type type, std::size_t first, std::size_t count,
                 std::span<const std::byte> bytes);
  void read_raw(std::string_view name, Hdf5Type type, std::size_t first, std::size_t count,
                std::span<std::byte> bytes) const;
  std::unique_ptr<State> state_;
};

}  // namespace btc
