#include "io/hdf5_handle.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <system_error>

namespace btc::hdf5 {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

/// Objects of at least 1 MiB begin on a page. Aligning them to a MiB would grow a file of filtered
/// 2 MiB chunks by half.
constexpr hsize_t kAlignmentThreshold = hsize_t{1} << 20U;
constexpr hsize_t kAlignment = 4096;

herr_t append_entry(unsigned position, const H5E_error2_t* entry, void* text_pointer) {
  auto& text = *static_cast<std::string*>(text_pointer);
  text += position == 0 ? "" : "; ";
  text += entry->func_name == nullptr ? "HDF5" : entry->func_name;
  text += ": ";
  text += entry->desc == nullptr ? "no description" : entry->desc;
  return 0;
}

std::vector<hsize_t> to_hsize(const std::vector<std::size_t>& values) {
  return {values.begin(), values.end()};
}

std::vector<std::size_t> to_size(const std::vector<hsize_t>& values) {
  return {values.begin(), values.end()};
}

Handle property_list(hid_t list_class, std::string_view where) {
  return checked_handle<IoError>(H5Pcreate(list_class), H5Pclose, where);
}

/// For files, groups and datasets: without times, so that equal content gives equal bytes.
Handle creation_list(hid_t list_class, std::string_view where) {
  Handle list = property_list(list_class, where);
  check<IoError>(H5Pset_obj_track_times(list.get(), 0), where);
  return list;
}

/// Groups above `name` that are not there. (Those that HDF5 makes by itself hold times.)
void create_groups_of(hid_t file, std::string_view name, std::string_view where) {
  const Handle creation = creation_list(H5P_GROUP_CREATE, where);
  for (std::size_t end = name.find('/', 1); end != std::string_view::npos;
       end = name.find('/', end + 1)) {
    const std::string group(name.substr(0, end));
    if (check<IoError>(H5Lexists(file, group.c_str(), H5P_DEFAULT), where) == 0) {
      checked_handle<IoError>(
          H5Gcreate2(file, group.c_str(), H5P_DEFAULT, creation.get(), H5P_DEFAULT), H5Gclose,
          where, ": cannot create group ", group);
    }
  }
}

}  // namespace

std::string error_stack() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, append_entry, &text);
  H5Eclear2(H5E_DEFAULT);
  std::replace(text.begin(), text.end(), '\n', ' ');  // HDF5 prints a time of day with one
  return text.empty() ? "HDF5 gives no reason" : text;
}

void silence() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

Handle file_access() {
  silence();
  Handle list = property_list(H5P_FILE_ACCESS, "file access");
  check<IoError>(H5Pset_libver_bounds(list.get(), H5F_LIBVER_V110, H5F_LIBVER_V110), "libver");
  check<IoError>(H5Pset_alignment(list.get(), kAlignmentThreshold, kAlignment), "alignment");
  check<IoError>(H5Pset_file_locking(list.get(), 0, 1), "locking");
  check<IoError>(H5Pset_fclose_degree(list.get(), H5F_CLOSE_STRONG), "close degree");
  // No cache of chunks: a write that the disk refuses then fails itself, not a later close.
  check<IoError>(H5Pset_cache(list.get(), 0, 0, 0, 0.0), "chunk cache");
  return list;
}

hid_t type_id(Hdf5Type type) {
  switch (type) {
    case Hdf5Type::kU8:
      return H5T_STD_U8LE;
    case Hdf5Type::kU16:
      return H5T_STD_U16LE;
    case Hdf5Type::kU32:
      return H5T_STD_U32LE;
    case Hdf5Type::kU64:
      return H5T_STD_U64LE;
    case Hdf5Type::kI32:
      return H5T_STD_I32LE;
    case Hdf5Type::kI64:
      return H5T_STD_I64LE;
    case Hdf5Type::kF32:
      return H5T_IEEE_F32LE;
    case Hdf5Type::kF64:
      return H5T_IEEE_F64LE;
  }
  BTC_THROW(Error, "unknown element type");
}

std::size_t size_of(Hdf5Type type) {
  constexpr std::array<std::size_t, 8> kSizes = {1, 2, 4, 8, 4, 8, 4, 8};
  return kSizes.at(static_cast<std::size_t>(type));
}

std::string_view name_of(Hdf5Type type) {
  constexpr std::array<std::string_view, 8> kNames = {"u8",  "u16", "u32", "u64",
                                                      "i32", "i64", "f32", "f64"};
  return kNames.at(static_cast<std::size_t>(type));
}

Handle open_object(hid_t file, std::string_view name, std::string_view where) {
  return checked_handle<FormatError>(H5Oopen(file, std::string(name).c_str(), H5P_DEFAULT),
                                     H5Oclose, where, ": no such object");
}

Handle file_creation() { return creation_list(H5P_FILE_CREATE, "file creation"); }

Handle create_dataset(hid_t file, std::string_view name, Hdf5Type type,
                      const std::vector<std::size_t>& shape, const DatasetLayout& layout,
                      std::string_view where) {
  const std::vector<std::size_t>& chunk = layout.chunk;
  BTC_CHECK(chunk.empty() || chunk.size() == shape.size(), where, ": chunk of rank ", chunk.size(),
            ", expected ", shape.size());
  const auto extents = to_hsize(shape);
  const Handle space = checked_handle<IoError>(
      shape.empty() ? H5Screate(H5S_SCALAR)
                    : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
      H5Sclose, where, ": cannot describe the shape");
  create_groups_of(file, name, where);
  const Handle creation = creation_list(H5P_DATASET_CREATE, where);
  check<IoError>(H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER), where);
  if (!chunk.empty()) {
    const auto chunk_extents = to_hsize(chunk);
    check<IoError>(
        H5Pset_chunk(creation.get(), static_cast<int>(chunk_extents.size()), chunk_extents.data()),
        where, ": cannot set the chunk");
    if (layout.deflated) {
      constexpr unsigned kLevel = 4;
      check<IoError>(H5Pset_shuffle(creation.get()), where);
      check<IoError>(H5Pset_deflate(creation.get(), kLevel), where);
    }
    check<IoError>(H5Pset_fletcher32(creation.get()), where);
  }
  return checked_handle<IoError>(H5Dcreate2(file, std::string(name).c_str(), type_id(type),
                                            space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                                 H5Dclose, where, ": cannot create the dataset");
}

Handle open_dataset(hid_t file, std::string_view name, Hdf5Type type, std::string_view where) {
  Handle dataset =
      checked_handle<FormatError>(H5Dopen2(file, std::string(name).c_str(), H5P_DEFAULT), H5Dclose,
                                  where, ": no such dataset, or a damaged one");
  const Handle found = checked_handle<FormatError>(H5Dget_type(dataset.get()), H5Tclose, where);
  BTC_REQUIRE(FormatError, H5Tequal(found.get(), type_id(type)) > 0, where,
              ": elements are not of type ", name_of(type), ", as expected, but ",
              H5Tget_class(found.get()) == H5T_FLOAT ? "floats" : "others", " of ",
              H5Tget_size(found.get()), " bytes");
  return dataset;
}

std::vector<std::size_t> extents_of(const Handle& dataset, std::string_view where) {
  const Handle space = checked_handle<FormatError>(H5Dget_space(dataset.get()), H5Sclose, where);
  const int rank = check<FormatError>(H5Sget_simple_extent_ndims(space.get()), where);
  std::vector<hsize_t> extents(static_cast<std::size_t>(rank));
  check<FormatError>(H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr), where);
  return to_size(extents);
}

std::vector<std::size_t> chunk_of(const Handle& dataset, std::string_view where) {
  const Handle creation =
      checked_handle<FormatError>(H5Dget_create_plist(dataset.get()), H5Pclose, where);
  if (H5Pget_layout(creation.get()) != H5D_CHUNKED) {
    return {};
  }
  std::vector<hsize_t> chunk(H5S_MAX_RANK);
  const int rank = check<FormatError>(
      H5Pget_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data()), where);
  chunk.resize(static_cast<std::size_t>(rank));
  return to_size(chunk);
}

RowSelection select_rows(const Handle& dataset, Hdf5Type type, std::size_t first, std::size_t count,
                         std::size_t bytes, std::string_view where) {
  const auto extents = extents_of(dataset, where);
  const std::size_t rows = extents.empty() ? 1 : extents[0];
  BTC_CHECK(count <= rows && first <= rows - count, where, ": rows ", first, " to ", first + count,
            " of ", rows);
  std::size_t elements = count;
  for (std::size_t i = 1; i < extents.size(); ++i) {
    elements *= extents[i];
  }
  BTC_CHECK(elements * size_of(type) == bytes, where, ": ", bytes, " bytes in memory, but ", count,
            " rows take ", elements * size_of(type));
  const hsize_t length = elements;
  RowSelection selection;
  selection.memory =
      checked_handle<IoError>(H5Screate_simple(1, &length, nullptr), H5Sclose, where);
  selection.file = checked_handle<IoError>(H5Dget_space(dataset.get()), H5Sclose, where);
  if (count == 0) {
    check<IoError>(H5Sselect_none(selection.memory.get()), where);
    check<IoError>(H5Sselect_none(selection.file.get()), where);
  } else if (!extents.empty()) {
    auto block = to_hsize(extents);
    std::vector<hsize_t> start(extents.size(), 0);
    start[0] = first;
    block[0] = count;
    check<IoError>(H5Sselect_hyperslab(selection.file.get(), H5S_SELECT_SET, start.data(), nullptr,
                                       block.data(), nullptr),
                   where, ": cannot select rows");
  }
  return selection;
}

void write_attribute(hid_t object, std::string_view name, hid_t type, const void* value,
                     std::string_view where) {
  const Handle space = checked_handle<IoError>(H5Screate(H5S_SCALAR), H5Sclose, where);
  const Handle attribute = checked_handle<IoError>(
      H5Acreate2(object, std::string(name).c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose, where, ": cannot create attribute ", name);
  check<IoError>(H5Awrite(attribute.get(), type, value), where, ": cannot write attribute ", name);
}

void write_attribute(hid_t object, std::string_view name, std::string_view value,
                     std::string_view where) {
  const Handle type = checked_handle<IoError>(H5Tcopy(H5T_C_S1), H5Tclose, where);
  check<IoError>(H5Tset_size(type.get(), std::max<std::size_t>(value.size(), 1)), where);
  check<IoError>(H5Tset_strpad(type.get(), H5T_STR_NULLPAD), where);
  check<IoError>(H5Tset_cset(type.get(), H5T_CSET_UTF8), where);
  const std::string text = value.empty() ? std::string(1, '\0') : std::string(value);
  write_attribute(object, name, type.get(), text.data(), where);
}

void make_directory_of(const std::filesystem::path& path) {
  const auto directory = path.parent_path();
  if (directory.empty()) {
    return;
  }
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  BTC_REQUIRE(IoError, !error, directory.string(), ": cannot create directory: ", error.message());
}

}  // namespace btc::hdf5
