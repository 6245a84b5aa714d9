#include "io/safetensors.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "common/error.hpp"
#include "common/half.hpp"
#include "io/json_check.hpp"

namespace btc {
namespace {

using nlohmann::json;

constexpr std::size_t kLengthBytes = 8;  // the header length in front of the header
constexpr std::uint64_t kMaxHeader = 100'000'000;

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  std::size_t size;
};
constexpr std::array<DTypeInfo, 9> kDTypes = {{{DType::kU8, "U8", 1},
                                               {DType::kI8, "I8", 1},
                                               {DType::kI32, "I32", 4},
                                               {DType::kI64, "I64", 8},
                                               {DType::kF16, "F16", 2},
                                               {DType::kBf16, "BF16", 2},
                                               {DType::kF32, "F32", 4},
                                               {DType::kF64, "F64", 8},
                                               {DType::kOther, "OTHER", 0}}};

const DTypeInfo& info_of(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)]; }

DType parse_dtype(const std::string& name) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.name == name) {
      return info.dtype;
    }
  }
  return DType::kOther;
}

/// A list of non-negative integers that fit int64.
std::vector<std::int64_t> read_integers(const json& tensor, const char* field,
                                        const std::string& where) {
  const auto entry = tensor.find(field);
  BTC_REQUIRE(FormatError, entry != tensor.end() && entry->is_array(), where, ": ", field,
              " missing or not a list");
  std::vector<std::int64_t> values;
  for (const json& value : *entry) {
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    BTC_REQUIRE(FormatError, value.is_number_unsigned() && value.get<std::uint64_t>() <= kMax,
                where, ": ", field, ": got ", value.dump(), ", expected an integer 0..", kMax);
    values.push_back(static_cast<std::int64_t>(value.get<std::uint64_t>()));
  }
  return values;
}

/// Bytes that `shape` elements of this type take. @throws FormatError on overflow
std::uint64_t byte_count(const std::vector<std::int64_t>& shape, std::size_t element_size,
                         const std::string& where) {
  std::uint64_t count = element_size;
  for (const std::int64_t extent : shape) {
    const bool overflow = __builtin_mul_overflow(count, static_cast<std::uint64_t>(extent), &count);
    BTC_REQUIRE(FormatError, !overflow, where, ": shape overflows 64 bits");
  }
  return count;
}

/// One entry of the header; `data` is everything behind the header.
TensorView read_tensor(const std::string& name, const json& entry, std::span<const std::byte> data,
                       const std::string& where) {
  BTC_REQUIRE(FormatError, entry.is_object() && entry.size() == 3, where,
              ": expected an object with dtype, shape, data_offsets");
  TensorView tensor;
  tensor.name = name;
  const auto dtype = entry.find("dtype");
  BTC_REQUIRE(FormatError, dtype != entry.end() && dtype->is_string(), where,
              ": dtype missing or not a text");
  tensor.dtype = parse_dtype(dtype->get<std::string>());
  tensor.shape = read_integers(entry, "shape", where);
  const auto offsets = read_integers(entry, "data_offsets", where);
  BTC_REQUIRE(FormatError, offsets.size() == 2 && offsets[0] <= offsets[1], where,
              ": data_offsets are not two ascending numbers");
  const auto begin = static_cast<std::uint64_t>(offsets[0]);
  const auto end = static_cast<std::uint64_t>(offsets[1]);
  BTC_REQUIRE(FormatError, end <= data.size(), where, ": data ends at byte ", end, " of ",
              data.size(), ": file cut short or header wrong");
  if (tensor.dtype != DType::kOther) {
    const std::uint64_t expected = byte_count(tensor.shape, size_of(tensor.dtype), where);
    BTC_REQUIRE(FormatError, end - begin == expected, where, ": got ", end - begin,
                " bytes of data, shape and dtype need ", expected);
  }
  tensor.bytes = data.subspan(begin, end - begin);
  tensor.file_offset = begin;  // behind the header; the caller adds the header
  return tensor;
}

/// The tensors must fill the data from the first to the last byte, each byte once.
void check_cover(const std::vector<TensorView>& tensors, std::size_t data_bytes,
                 std::size_t header_bytes, const std::string& file) {
  std::size_t position = header_bytes;
  for (const TensorView& tensor : tensors) {
    BTC_REQUIRE(FormatError, tensor.file_offset == position, file, ": ", tensor.name, ", byte ",
                tensor.file_offset, ": ", tensor.file_offset < position ? "overlap" : "hole",
                ", expected to begin at byte ", position);
    position += tensor.bytes.size();
  }
  BTC_REQUIRE(FormatError, position == header_bytes + data_bytes, file, ": byte ", position, ": ",
              header_bytes + data_bytes - position, " bytes behind the last tensor");
}

}  // namespace

std::size_t size_of(DType dtype) { return info_of(dtype).size; }

std::string_view name_of(DType dtype) { return info_of(dtype).name; }

std::size_t TensorView::element_count() const {
  std::size_t count = 1;
  for (const std::int64_t extent : shape) {
    count *= static_cast<std::size_t>(extent);
  }
  return count;
}

struct SafetensorsFile::Mapping {
  std::filesystem::path path;
  int descriptor = -1;  ///< kept open for `check_not_cut`
  std::span<const std::byte> bytes;
  std::size_t header_bytes = 0;
  std::vector<TensorView> tensors;
  std::map<std::string, std::size_t, std::less<>> index;
  std::map<std::string, std::string> metadata;

  explicit Mapping(std::filesystem::path file) : path(std::move(file)) {}
  /// Apart from the constructor, so that the destructor closes what is open when this throws.
  void map() {
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    BTC_REQUIRE(IoError, descriptor >= 0, path.string(),
                ": cannot open: ", std::generic_category().message(errno));
    struct stat status {};
    const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
    BTC_REQUIRE(IoError, regular, path.string(), ": not a regular file");
    const auto size = static_cast<std::size_t>(status.st_size);
    void* const address =
        size > 0 ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0) : nullptr;
    BTC_REQUIRE(IoError, address != MAP_FAILED, path.string(),
                ": cannot map: ", std::generic_category().message(errno));
    bytes = {static_cast<const std::byte*>(address), size};
  }
  ~Mapping() {
    if (descriptor >= 0) {
      ::close(descriptor);
    }
    if (!bytes.empty()) {
      // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): munmap wants a mutable address
      ::munmap(const_cast<std::byte*>(bytes.data()), bytes.size());
    }
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  void read_header();
  void read_metadata(const json& entry);
};

void SafetensorsFile::Mapping::read_metadata(const json& entry) {
  BTC_REQUIRE(FormatError, entry.is_object(), path.string(), ": __metadata__ is not an object");
  for (const auto& [key, value] : entry.items()) {
    BTC_REQUIRE(FormatError, value.is_string(), path.string(), ": __metadata__.", key,
                " is not a text");
    metadata.emplace(key, value.get<std::string>());
  }
}

void SafetensorsFile::Mapping::read_header() {
  const std::string file = path.string();
  BTC_REQUIRE(FormatError, bytes.size() >= kLengthBytes, file, ": got ", bytes.size(),
              " bytes, expected at least ", kLengthBytes);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  BTC_REQUIRE(FormatError, length <= kMaxHeader, file, ": byte 0: header length ", length,
              ", expected at most ", kMaxHeader);
  BTC_REQUIRE(FormatError, length <= bytes.size() - kLengthBytes, file, ": byte 0: header length ",
              length, " > the ", bytes.size() - kLengthBytes, " bytes that follow");
  header_bytes = kLengthBytes + length;
  const auto raw = bytes.subspan(kLengthBytes, length);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes read as text
  const std::string_view text(reinterpret_cast<const char*>(raw.data()), raw.size());
  BTC_REQUIRE(FormatError, text.starts_with('{'), file, ": byte 8: the header is not an object");
  check_json(text, file, 3);
  const json header = json::parse(text.begin(), text.end());
  const auto data = bytes.subspan(header_bytes);
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      read_metadata(entry);
      continue;
    }
    tensors.push_back(read_tensor(name, entry, data, concat(file, ": ", name)));
    tensors.back().file_offset += header_bytes;
  }
  std::sort(tensors.begin(), tensors.end(), [](const TensorView& a, const TensorView& b) {
    return std::make_tuple(a.file_offset, a.bytes.size(), std::string_view(a.name)) <
           std::make_tuple(b.file_offset, b.bytes.size(), std::string_view(b.name));
  });
  check_cover(tensors, data.size(), header_bytes, file);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    index.emplace(tensors[i].name, i);
  }
}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  auto mapping = std::make_shared<Mapping>(path);
  mapping->map();
  mapping->read_header();
  SafetensorsFile file;
  file.mapping_ = std::move(mapping);
  return file;
}

void SafetensorsFile::check_not_cut() const {
  struct stat status {};
  BTC_REQUIRE(IoError, ::fstat(mapping_->descriptor, &status) == 0, path().string(),
              ": no status: ", std::generic_category().message(errno));
  BTC_REQUIRE(FormatError, std::cmp_greater_equal(status.st_size, file_bytes()), path().string(),
              ": was cut to ", status.st_size, " bytes, had ", file_bytes(), " when it was opened");
}

const std::filesystem::path& SafetensorsFile::path() const { return mapping_->path; }
const std::vector<TensorView>& SafetensorsFile::tensors() const { return mapping_->tensors; }
const std::map<std::string, std::string>& SafetensorsFile::metadata() const {
  return mapping_->metadata;
}
std::size_t SafetensorsFile::header_bytes() const { return mapping_->header_bytes; }
std::size_t SafetensorsFile::file_bytes() const { return mapping_->bytes.size(); }

const TensorView* SafetensorsFile::find(std::string_view name) const {
  const auto entry = mapping_->index.find(name);
  return entry == mapping_->index.end() ? nullptr : &mapping_->tensors[entry->second];
}

const TensorView& SafetensorsFile::at(std::string_view name) const {
  const TensorView* tensor = find(name);
  BTC_REQUIRE(FormatError, tensor != nullptr, path().string(), ": tensor ", name, " is missing");
  return *tensor;
}

void to_float(const TensorView& tensor, std::size_t first, std::span<float> out) {
  const std::size_t count = tensor.element_count();
  BTC_CHECK(first <= count && out.size() <= count - first, tensor.name, ": elements ", first, "+",
            out.size(), " of ", count);
  const std::byte* const begin = tensor.bytes.data();
  if (tensor.dtype == DType::kF32) {
    if (!out.empty()) {
      std::memcpy(out.data(), begin + first * sizeof(float), out.size_bytes());
    }
    return;
  }
  BTC_REQUIRE(FormatError, tensor.dtype == DType::kF16 || tensor.dtype == DType::kBf16, tensor.name,
              ": dtype ", name_of(tensor.dtype), ", expected F16, BF16 or F32");
  const bool half = tensor.dtype == DType::kF16;
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, begin + (first + i) * sizeof(bits), sizeof(bits));
    out[i] = half ? fp16_to_float(bits) : bf16_to_float(bits);
  }
}

std::vector<float> to_float(const TensorView& tensor) {
  std::vector<float> values(tensor.element_count());
  to_float(tensor, 0, values);
  return values;
}

}  // namespace btc
