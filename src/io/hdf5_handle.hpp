#pragma once
/// HDF5's identifiers as objects, its errors as exceptions, and what the serial and the parallel
/// file have in common. Included by .cpp files of this module only.

#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/error.hpp"
#include "io/hdf5_file.hpp"

namespace btc::hdf5 {

/// Owns one identifier; closes it with the function that its kind needs.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close closer) : id_(id), close_(closer) {}
  ~Handle() { close(); }
  Handle(Handle&& other) noexcept
      : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      close();
      id_ = std::exchange(other.id_, H5I_INVALID_HID);
      close_ = other.close_;
    }
    return *this;
  }
  [[nodiscard]] hid_t get() const { return id_; }
  [[nodiscard]] bool valid() const { return id_ >= 0; }
  /// Closes now. @return negative if HDF5 could not
  herr_t close() { return valid() ? close_(std::exchange(id_, H5I_INVALID_HID)) : 0; }
  /// Gives up the identifier without closing it.
  void release() { id_ = H5I_INVALID_HID; }

 private:
  hid_t id_ = H5I_INVALID_HID;
  Close close_ = nullptr;
};

/// HDF5's error stack of the last failed call, outermost function first.
std::string error_stack();

/// Passes on `result` of an HDF5 call. @throws Type with `parts` and HDF5's text if it is negative
template <typename Type, typename Result, typename... Parts>
Result check(Result result, const Parts&... parts) {
  BTC_REQUIRE(Type, result >= 0, parts..., ": ", error_stack());
  return result;
}

/// An identifier that must be valid. @throws Type as `check`
template <typename Type, typename... Parts>
Handle checked_handle(hid_t id, Handle::Close closer, const Parts&... parts) {
  return {check<Type>(id, parts...), closer};
}

/// Keeps HDF5 from printing its errors itself; `error_stack` has them.
void silence();

/// Settings of every file: checksummed metadata, alignment, no locks, strong close.
Handle file_access();
/// Settings of a new file: no times.
Handle file_creation();

/// Type in the file; on a little-endian machine also the one in memory.
hid_t type_id(Hdf5Type type);
std::size_t size_of(Hdf5Type type);
std::string_view name_of(Hdf5Type type);

/// Opens a group or dataset. @throws FormatError if absent
Handle open_object(hid_t file, std::string_view name, std::string_view where);
/// Creates a dataset and the groups above it. @param where begins error messages
Handle create_dataset(hid_t file, std::string_view name, Hdf5Type type,
                      const std::vector<std::size_t>& shape, const DatasetLayout& layout,
                      std::string_view where);
/// Opens a dataset for access as `type`. @throws FormatError if absent or of another type
Handle open_dataset(hid_t file, std::string_view name, Hdf5Type type, std::string_view where);
/// Extents of a dataset or of its chunks (empty unless chunked).
std::vector<std::size_t> extents_of(const Handle& dataset, std::string_view where);
std::vector<std::size_t> chunk_of(const Handle& dataset, std::string_view where);

/// The rows of one transfer in memory and in the file.
struct RowSelection {
  Handle memory;
  Handle file;
};
/// @throws Error unless the rows lie inside the dataset and take exactly `bytes` in memory
RowSelection select_rows(const Handle& dataset, Hdf5Type type, std::size_t first, std::size_t count,
                         std::size_t bytes, std::string_view where);

void write_attribute(hid_t object, std::string_view name, std::string_view value,
                     std::string_view where);
void write_attribute(hid_t object, std::string_view name, hid_t type, const void* value,
                     std::string_view where);

/// Makes the directory of a new file. @throws IoError
void make_directory_of(const std::filesystem::path& path);

}  // namespace btc::hdf5
