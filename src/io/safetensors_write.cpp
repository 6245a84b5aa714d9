#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/error.hpp"
#include "common/matrix.hpp"
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

std::size_t byte_count(const TensorView& tensor) {
  return tensor.element_count() * size_of(tensor.dtype);
}

/// The tensors in canonical order, each name once.
std::vector<TensorView> in_order(std::vector<TensorView> tensors) {
  std::vector<std::string_view> names;
  for (const TensorView& tensor : tensors) {
    BTC_CHECK(tensor.dtype != DType::kOther, tensor.name, ": a type that cannot be written");
    names.push_back(tensor.name);
  }
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  BTC_CHECK(twice == names.end(), "tensor ", *twice, " is given twice");
  std::sort(tensors.begin(), tensors.end(), canonical_order);
  return tensors;
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
                           {"data_offsets", {offset, offset + byte_count(tensor)}}};
    offset += byte_count(tensor);
  }
  std::string text = header.dump();
  const std::size_t padded = ceil_div(kLengthBytes + text.size(), kAlignment) * kAlignment;
  text.resize(padded - kLengthBytes, ' ');
  return text;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path,
                                     std::vector<TensorView> tensors,
                                     const std::map<std::string, std::string>& metadata)
    : tensors_(in_order(std::move(tensors))), file_(path) {
  const std::string header = header_text(tensors_, metadata);
  const std::uint64_t length = header.size();
  file_.write(std::as_bytes(std::span(&length, 1)));
  file_.write(std::as_bytes(std::span(header)));
}

void SafetensorsWriter::append(std::span<const std::byte> bytes) {
  BTC_CHECK(next_ < tensors_.size(), "more than ", tensors_.size(), " tensors");
  const TensorView& tensor = tensors_[next_++];
  BTC_CHECK(bytes.size() == byte_count(tensor), tensor.name, ": ", bytes.size(), " bytes, ",
            byte_count(tensor), " promised");
  file_.write(bytes);
}

WrittenFile SafetensorsWriter::commit() {
  BTC_CHECK(next_ == tensors_.size(), next_, " of ", tensors_.size(), " tensors were written");
  WrittenFile written;
  written.sha256 = file_.commit();
  written.bytes = file_.bytes_written();
  return written;
}

WrittenFile write_safetensors(const std::filesystem::path& path, std::vector<TensorView> tensors,
                              const std::map<std::string, std::string>& metadata) {
  SafetensorsWriter writer(path, std::move(tensors), metadata);
  for (const TensorView& tensor : writer.order()) {
    writer.append(tensor.bytes);
  }
  return writer.commit();
}

}  // namespace btc
