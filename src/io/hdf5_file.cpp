#include "io/hdf5_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "common/error.hpp"
#include "io/atomic_file.hpp"
#include "io/hdf5_handle.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using hdf5::check;
using hdf5::checked_handle;
using hdf5::Handle;

constexpr std::size_t kFletcherBytes = 4;
/// A deflated byte never grows to more than this many.
constexpr std::size_t kLargestExpansion = 1032;

herr_t append_name(hid_t /*group*/, const char* name, const H5L_info_t* /*info*/, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}

/// The system's own reason for a file that cannot be read at all.
void check_readable(const fs::path& path) {
  std::error_code error;
  BTC_REQUIRE(IoError, !fs::is_directory(path, error), path.string(),
              ": is a directory, expected a file");
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  BTC_REQUIRE(IoError, descriptor >= 0, path.string(),
              ": cannot open: ", std::generic_category().message(errno));
  ::close(descriptor);
}

/// True unless the dataset has filters that make it smaller.
bool is_stored_plainly(const Handle& dataset, std::string_view where) {
  const Handle creation =
      checked_handle<FormatError>(H5Dget_create_plist(dataset.get()), H5Pclose, where);
  const int filters = check<FormatError>(H5Pget_nfilters(creation.get()), where);
  for (int i = 0; i < filters; ++i) {
    std::size_t values = 0;
    unsigned flags = 0;
    const auto filter = H5Pget_filter2(creation.get(), static_cast<unsigned>(i), &flags, &values,
                                       nullptr, 0, nullptr, nullptr);
    if (filter != H5Z_FILTER_FLETCHER32 && filter != H5Z_FILTER_SHUFFLE) {
      return false;
    }
  }
  return true;
}

std::string read_text(const Handle& attribute, const Handle& type, std::string_view where) {
  if (H5Tis_variable_str(type.get()) > 0) {
    const Handle memory = checked_handle<FormatError>(H5Tcopy(H5T_C_S1), H5Tclose, where);
    check<FormatError>(H5Tset_size(memory.get(), H5T_VARIABLE), where);
    check<FormatError>(H5Tset_cset(memory.get(), H5Tget_cset(type.get())), where);
    char* value = nullptr;
    check<FormatError>(H5Aread(attribute.get(), memory.get(), &value), where);
    std::string text = value == nullptr ? "" : value;
    H5free_memory(value);
    return text;
  }
  std::string text(H5Tget_size(type.get()), '\0');
  check<FormatError>(H5Aread(attribute.get(), type.get(), text.data()), where);
  text.resize(std::min(text.size(), text.find('\0')));
  return text;
}

/// The descriptor that HDF5 writes to, or -1.
int descriptor_of(const Handle& file) {
  void* handle = nullptr;
  if (!file.valid() || H5Fget_vfd_handle(file.get(), H5P_DEFAULT, &handle) < 0) {
    return -1;
  }
  return *static_cast<const int*>(handle);
}

/// Takes the space for what HDF5 has not written yet. When its own flush of metadata meets a full
/// disk, it can neither try again nor close, and crashes when the program exits.
void reserve_space(const Handle& file, const std::string& path) {
  constexpr std::size_t kSlack = std::size_t{64} << 10U;
  haddr_t end = 0;
  std::size_t metadata = 0;  // some of it gets its place in the file only in the flush
  check<IoError>(H5Fget_eoa(file.get(), &end), path);
  check<IoError>(H5Fget_mdc_size(file.get(), nullptr, nullptr, &metadata, nullptr), path);
  const auto bytes = static_cast<::off_t>(end + metadata + kSlack);
  const bool ok = ::fallocate(descriptor_of(file), FALLOC_FL_KEEP_SIZE, 0, bytes) == 0 ||
                  errno == EOPNOTSUPP || errno == ENOSYS;
  BTC_REQUIRE(IoError, ok, path, ": cannot write ", bytes,
              " bytes: ", std::generic_category().message(errno));
}

/// Lets HDF5 close a file that nobody wants. Where the disk is full that would fail, and keep the
/// descriptor and the space: the rest goes to memory.
void divert_to_memory(const Handle& file) {
  const int descriptor = descriptor_of(file);
  const int memory = descriptor < 0 ? -1 : ::memfd_create("abandoned", MFD_CLOEXEC);
  if (memory >= 0) {
    ::dup2(memory, descriptor);
    ::close(memory);
  }
}

}  // namespace

std::string hdf5_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  check<IoError>(H5get_libversion(&major, &minor, &release), "version");
  return concat(major, ".", minor, ".", release);
}

struct Hdf5File::State {
  explicit State(fs::path name) : path(std::move(name)) {}
  ~State() {
    if (!temporary.empty()) {
      ::unlink(temporary.c_str());
      divert_to_memory(file);
    }
    file.close();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  [[nodiscard]] std::string where(std::string_view object) const {
    return concat(path.string(), ": ", object);
  }

  void check_writing() const {
    BTC_CHECK(file.valid() && !temporary.empty(), path.string(), ": is not open for writing");
  }

  void check_open() const { BTC_CHECK(file.valid(), path.string(), ": is closed"); }

  [[nodiscard]] Handle open_object(std::string_view object) const {
    check_open();
    return hdf5::open_object(file.get(), object, where(object));
  }

  /// An attribute whose type is of the class `expected`.
  [[nodiscard]] std::pair<Handle, Handle> open_attribute(std::string_view object,
                                                         std::string_view name,
                                                         H5T_class_t expected,
                                                         std::string_view kind) const {
    const Handle owner = open_object(object);
    const std::string text(name);
    BTC_REQUIRE(FormatError, H5Aexists(owner.get(), text.c_str()) > 0, where(object),
                ": attribute ", name, " is missing");
    Handle attribute = checked_handle<FormatError>(H5Aopen(owner.get(), text.c_str(), H5P_DEFAULT),
                                                   H5Aclose, where(object), ": attribute ", name);
    Handle type = checked_handle<FormatError>(H5Aget_type(attribute.get()), H5Tclose, where(object),
                                              ": attribute ", name);
    const Handle space = checked_handle<FormatError>(H5Aget_space(attribute.get()), H5Sclose,
                                                     where(object), ": attribute ", name);
    BTC_REQUIRE(
        FormatError,
        H5Tget_class(type.get()) == expected && H5Sget_simple_extent_npoints(space.get()) == 1,
        where(object), ": attribute ", name, " is not one ", kind, ", as expected");
    return {std::move(attribute), std::move(type)};
  }

  fs::path path;
  fs::path temporary;  ///< empty while reading and after commit
  Handle file;
};

Hdf5File::Hdf5File(std::unique_ptr<State> state) : state_(std::move(state)) {}
Hdf5File::~Hdf5File() = default;
Hdf5File::Hdf5File(Hdf5File&&) noexcept = default;
Hdf5File& Hdf5File::operator=(Hdf5File&&) noexcept = default;

Hdf5File Hdf5File::create(const fs::path& path) {
  hdf5::make_directory_of(path);
  auto state = std::make_unique<State>(path);
  state->temporary = temporary_path(path);  // removed with the state, also if creating fails half
  const Handle access = hdf5::file_access();
  const Handle creation = hdf5::file_creation();
  state->file = checked_handle<IoError>(
      H5Fcreate(state->temporary.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose,
      path.string(), ": cannot create");
  return Hdf5File(std::move(state));
}

Hdf5File Hdf5File::open(const fs::path& path) {
  check_readable(path);
  auto state = std::make_unique<State>(path);
  const Handle access = hdf5::file_access();
  state->file = checked_handle<FormatError>(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()),
                                            H5Fclose, path.string(), ": not a complete HDF5 file");
  haddr_t end = 0;
  check<FormatError>(H5Fget_eoa(state->file.get(), &end), path.string());
  const std::uintmax_t size = fs::file_size(path);
  BTC_REQUIRE(FormatError, size == end, path.string(), ": ", size, " bytes, but HDF5 uses ", end);
  return Hdf5File(std::move(state));
}

void Hdf5File::set_attribute(std::string_view object, std::string_view name,
                             std::string_view value) {
  state_->check_writing();
  hdf5::write_attribute(state_->open_object(object).get(), name, value, state_->where(object));
}

void Hdf5File::set_attribute(std::string_view object, std::string_view name, std::int64_t value) {
  state_->check_writing();
  hdf5::write_attribute(state_->open_object(object).get(), name, H5T_STD_I64LE, &value,
                        state_->where(object));
}

void Hdf5File::set_attribute(std::string_view object, std::string_view name, double value) {
  state_->check_writing();
  hdf5::write_attribute(state_->open_object(object).get(), name, H5T_IEEE_F64LE, &value,
                        state_->where(object));
}

std::string Hdf5File::text_attribute(std::string_view object, std::string_view name) const {
  const auto [attribute, type] = state_->open_attribute(object, name, H5T_STRING, "text");
  return read_text(attribute, type, concat(state_->where(object), ": attribute ", name));
}

std::int64_t Hdf5File::int_attribute(std::string_view object, std::string_view name) const {
  const auto [attribute, type] = state_->open_attribute(object, name, H5T_INTEGER, "integer");
  std::int64_t value = 0;
  check<FormatError>(H5Aread(attribute.get(), H5T_NATIVE_INT64, &value), state_->where(object),
                     ": attribute ", name);
  return value;
}

double Hdf5File::real_attribute(std::string_view object, std::string_view name) const {
  const auto [attribute, type] = state_->open_attribute(object, name, H5T_FLOAT, "real number");
  double value = 0;
  check<FormatError>(H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, &value), state_->where(object),
                     ": attribute ", name);
  return value;
}

bool Hdf5File::has(std::string_view object) const {
  state_->check_open();
  // Each group of the path has to exist before HDF5 can be asked for what is in it.
  for (std::size_t at = object.find_first_not_of('/'); at < object.size();) {
    const std::size_t end = std::min(object.find('/', at), object.size());
    if (H5Lexists(state_->file.get(), std::string(object.substr(0, end)).c_str(), H5P_DEFAULT) <=
        0) {
      return false;
    }
    at = object.find_first_not_of('/', end);
  }
  return true;
}

std::vector<std::string> Hdf5File::children(std::string_view group) const {
  state_->check_open();
  const Handle opened = checked_handle<FormatError>(
      H5Gopen2(state_->file.get(), std::string(group).c_str(), H5P_DEFAULT), H5Gclose,
      state_->where(group), ": no such group");
  std::vector<std::string> names;
  check<FormatError>(
      H5Literate(opened.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, append_name, &names),
      state_->where(group), ": cannot list");
  std::sort(names.begin(), names.end());
  return names;
}

void Hdf5File::create_dataset(std::string_view name, Hdf5Type type,
                              const std::vector<std::size_t>& shape, const DatasetLayout& layout) {
  state_->check_writing();
  hdf5::create_dataset(state_->file.get(), name, type, shape, layout, state_->where(name));
}

std::vector<std::size_t> Hdf5File::shape(std::string_view name) const {
  state_->check_open();
  const std::string where = state_->where(name);
  const Handle dataset = checked_handle<FormatError>(
      H5Dopen2(state_->file.get(), std::string(name).c_str(), H5P_DEFAULT), H5Dclose, where,
      ": no such dataset, or a damaged one");
  return hdf5::extents_of(dataset, where);
}

std::size_t Hdf5File::element_count(std::string_view name, Hdf5Type type) const {
  state_->check_open();
  const std::string where = state_->where(name);
  const Handle dataset = hdf5::open_dataset(state_->file.get(), name, type, where);
  const bool plain = is_stored_plainly(dataset, where);
  haddr_t file_bytes = 0;
  check<FormatError>(H5Fget_eoa(state_->file.get(), &file_bytes), where);
  const std::size_t limit =
      file_bytes / hdf5::size_of(type) * (plain ? std::size_t{1} : kLargestExpansion);
  std::size_t count = 1;
  for (const std::size_t extent : hdf5::extents_of(dataset, where)) {
    BTC_REQUIRE(FormatError, extent == 0 || count <= limit / extent, where, ": more elements than ",
                file_bytes, " bytes of file can hold");
    count *= extent;
  }
  return count;
}

void Hdf5File::write_raw(std::string_view name, Hdf5Type type, std::size_t first, std::size_t count,
                         std::span<const std::byte> bytes) {
  state_->check_writing();
  const std::string where = state_->where(name);
  Handle dataset = hdf5::open_dataset(state_->file.get(), name, type, where);
  const auto rows = hdf5::select_rows(dataset, type, first, count, bytes.size(), where);
  check<IoError>(H5Dwrite(dataset.get(), hdf5::type_id(type), rows.memory.get(), rows.file.get(),
                          H5P_DEFAULT, bytes.data()),
                 where, ": cannot write ", bytes.size(), " bytes at row ", first);
  check<IoError>(dataset.close(), where, ": cannot write at row ", first);
}

void Hdf5File::read_raw(std::string_view name, Hdf5Type type, std::size_t first, std::size_t count,
                        std::span<std::byte> bytes) const {
  state_->check_open();
  const std::string where = state_->where(name);
  const Handle dataset = hdf5::open_dataset(state_->file.get(), name, type, where);
  const auto rows = hdf5::select_rows(dataset, type, first, count, bytes.size(), where);
  check<FormatError>(H5Dread(dataset.get(), hdf5::type_id(type), rows.memory.get(), rows.file.get(),
                             H5P_DEFAULT, bytes.data()),
                     where, ": cannot read ", count, " rows from ", first);
}

std::vector<std::uint64_t> Hdf5File::chunk_offsets(std::string_view name, Hdf5Type type) const {
  state_->check_open();
  const std::string where = state_->where(name);
  const Handle dataset = hdf5::open_dataset(state_->file.get(), name, type, where);
  const auto extents = hdf5::extents_of(dataset, where);
  const auto chunk = hdf5::chunk_of(dataset, where);
  BTC_REQUIRE(FormatError,
              !chunk.empty() && chunk.size() == extents.size() &&
                  std::equal(chunk.begin() + 1, chunk.end(), extents.begin() + 1),
              where, ": is not chunked along its first dimension alone, as expected");
  std::size_t bytes = hdf5::size_of(type);
  haddr_t file_bytes = 0;
  check<FormatError>(H5Fget_eoa(state_->file.get(), &file_bytes), where);
  for (const std::size_t extent : chunk) {
    BTC_REQUIRE(FormatError, bytes <= file_bytes / extent, where, ": a chunk larger than the file");
    bytes *= extent;
  }
  std::vector<std::uint64_t> offsets;
  std::vector<hsize_t> at(extents.size(), 0);
  for (; at[0] < extents[0]; at[0] += chunk[0]) {
    unsigned skipped_filters = 0;
    haddr_t address = HADDR_UNDEF;
    hsize_t size = 0;
    check<FormatError>(
        H5Dget_chunk_info_by_coord(dataset.get(), at.data(), &skipped_filters, &address, &size),
        where, ": chunk of row ", at[0]);
    BTC_REQUIRE(FormatError, address != HADDR_UNDEF, where, ": row ", at[0], " was never written");
    BTC_REQUIRE(FormatError, skipped_filters == 0 && size == bytes + kFletcherBytes, where,
                ": row ", at[0], ": chunk of ", size, " bytes, expected ", bytes + kFletcherBytes);
    BTC_REQUIRE(FormatError, size <= file_bytes && address <= file_bytes - size, where, ": row ",
                at[0], ": chunk at byte ", address, " ends behind the file");
    offsets.push_back(address);
  }
  return offsets;
}

std::size_t Hdf5File::commit() {
  state_->check_writing();
  reserve_space(state_->file, state_->path.string());
  check<IoError>(H5Fflush(state_->file.get(), H5F_SCOPE_GLOBAL), state_->path.string(),
                 ": cannot write");
  check<IoError>(state_->file.close(), state_->path.string(), ": cannot close");
  const std::size_t size = fs::file_size(state_->temporary);
  fs::resize_file(state_->temporary, size);  // gives back what was reserved behind the end
  commit_file(state_->temporary, state_->path);
  state_->temporary.clear();
  return size;
}

}  // namespace btc
