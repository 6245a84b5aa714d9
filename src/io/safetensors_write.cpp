#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/matrix.hpp"
#include "io/atomic_file.hpp"
#include "io/safetensors.hpp"

namespace btc {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kLengthBytes = 8;

/// Largest elements first, so that every tensor starts at a multiple of its element size.
bool canonical_order(const TensorView& a, const TensorView& b) {
  const std::size_t size_a = size_of(a.dtype);
  const std::size_t size_b = size_of(b.dtype);
  return size_a != size_b ? size_a > size_b : a.name < b.name;
}

void check_tensors(const std::vector<TensorView>& tensors) {
  std::vector<std::string_view> names;
  for (const TensorView& tensor : tensors) {
    BTC_CHECK(tensor.dtype != DType::kOther, tensor.name, ": a type that cannot be written");
    BTC_CHECK(tensor.bytes.size() == tensor.element_count() * size_of(tensor.dtype), tensor.name,
              ": ", tensor.bytes.size(), " bytes, ", tensor.element_count(), " elements");
    names.push_back(tensor.name);
  }
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  BTC_CHECK(twice == names.end(), "tensor ", *twice, " is given twice");
}

std::string header_text(const std::vector<TensorView>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = metadata;
  }
  std::size_t offset = 0;
  for (const TensorView& tensor : tensors) {
    header[tensor.name] = {{"dtype", name_of(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  std::string text = header.dump();
  const std::size_t padded = ceil_div(kLengthBytes + text.size(), kAlignment) * kAlignment;
  text.resize(padded - kLengthBytes, ' ');
  return text;
}

}  // namespace

WrittenFile write_safetensors(const std::filesystem::path& path, std::vector<TensorView> tensors,
                              const std::map<std::string, std::string>& metadata) {
  check_tensors(tensors);
  std::sort(tensors.begin(), tensors.end(), canonical_order);
  const std::string header = header_text(tensors, metadata);
  const std::uint64_t length = header.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(std::as_bytes(std::span(header)));
  for (const TensorView& tensor : tensors) {
    file.write(tensor.bytes);
  }
  WrittenFile written;
  written.sha256 = file.commit();
  written.bytes = file.bytes_written();
  return written;
}

}  // namespace btc
