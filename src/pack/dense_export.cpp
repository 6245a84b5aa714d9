#include <array>
#include <cmath>
#include <span>

#include "common/half.hpp"
#include "common/round_to_odd.hpp"
#include "pack/model_directory.hpp"
#include "pack/packed_directory.hpp"
#include "pack/packed_model.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;

struct DTypeChoice {
  DType dtype;
  const char* config_name;
};
constexpr std::array<DTypeChoice, 3> kChoices = {
    {{DType::kF32, "float32"}, {DType::kF16, "float16"}, {DType::kBf16, "bfloat16"}}};

/// Appends one value, rounded to nearest even. @throws NumericError if it is out of range
void append(const std::string& name, std::size_t element, double value, DType dtype,
            std::vector<std::byte>& bytes) {
  const auto append_bits = [&](const auto& bits, float stored) {
    BTC_REQUIRE(NumericError, std::isfinite(stored), name, ": element ", element, " is ", value,
                ", too large for ", name_of(dtype));
    const auto raw = std::as_bytes(std::span(&bits, 1));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
  };
  if (dtype == DType::kF32) {
    const auto stored = static_cast<float>(value);
    append_bits(stored, stored);
  } else if (dtype == DType::kF16) {
    const std::uint16_t bits = float_to_fp16(round_to_odd(value));
    append_bits(bits, fp16_to_float(bits));
  } else {
    const std::uint16_t bits = float_to_bf16(round_to_odd(value));
    append_bits(bits, bf16_to_float(bits));
  }
}

/// A Linear as `tensor` describes it.
std::vector<std::byte> dense_bytes(const PackedDirectory& packed, int block, LinearKind kind,
                                   const TensorView& tensor) {
  std::vector<std::byte> bytes;
  bytes.reserve(tensor.element_count() * size_of(tensor.dtype));
  packed.dense_rows(block, kind, [&](std::size_t i, std::span<const double> row) {
    for (std::size_t j = 0; j < row.size(); ++j) {
      append(tensor.name, i * row.size() + j, row[j], tensor.dtype, bytes);
    }
  });
  return bytes;
}

/// Linears by the name of their dense tensor.
std::map<std::string, LinearKind> dense_names(int block) {
  std::map<std::string, LinearKind> names;
  for (const LinearKind kind : kLinearKinds) {
    names.emplace(linear_name(block, kind) + ".weight", kind);
  }
  return names;
}

/// Writes one shard, dequantizing one Linear at a time.
void export_shard(const PackedDirectory& packed, int shard, const fs::path& path, DType dtype) {
  const ModelConfig& config = packed.config();
  const bool outer = shard == config.blocks;
  const SafetensorsFile& source = packed.shards().at(static_cast<std::size_t>(shard));
  const auto linears = outer ? std::map<std::string, LinearKind>() : dense_names(shard);
  std::vector<TensorView> tensors;
  for (const ExpectedTensor& expected :
       outer ? outer_tensors(config) : block_tensors(config, shard)) {
    const bool linear = linears.contains(expected.name);
    tensors.push_back(
        {expected.name, linear ? dtype : source.at(expected.name).dtype, expected.shape, {}});
  }
  // Loaders refuse a file without this entry.
  SafetensorsWriter writer(path, std::move(tensors), {{"format", "pt"}});
  for (const TensorView& tensor : writer.order()) {
    const auto linear = linears.find(tensor.name);
    if (linear == linears.end()) {
      writer.append(source.at(tensor.name).bytes);
    } else {
      writer.append(dense_bytes(packed, shard, linear->second, tensor));
    }
  }
  writer.commit();
}

}  // namespace

void export_dense(const fs::path& packed_directory, const fs::path& out_directory,
                  ExportDType dtype) {
  const PackedDirectory packed(packed_directory);
  check_files(packed_directory, packed.manifest());
  BTC_REQUIRE(InputError, !out_directory.empty(),
              "export: the name of the directory to write is empty, expected a new directory");
  std::error_code error;
  BTC_REQUIRE(InputError, !fs::exists(out_directory) || fs::is_empty(out_directory, error),
              out_directory.string(), ": exists and is not empty; choose a new directory");
  const DTypeChoice& choice = kChoices.at(static_cast<std::size_t>(dtype));
  const int blocks = packed.config().blocks;
  std::vector<std::string> names;
  for (int shard = 0; shard <= blocks; ++shard) {
    names.push_back(shard_name(shard, blocks));
    export_shard(packed, shard, out_directory / names.back(), choice.dtype);
  }
  copy_companions(packed_directory, out_directory);
  write_model_text(out_directory, kIndexName, index_text_of(out_directory, names));
  write_model_text(out_directory, "config.json",
                   dense_config(packed.packed_config().source, choice.config_name));
}

}  // namespace btc
