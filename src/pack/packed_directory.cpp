#include "pack/packed_directory.hpp"

#include <algorithm>
#include <utility>

#include "io/atomic_file.hpp"
#include "pack/linear_layout.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;

void check_copied(const SafetensorsFile& shard, const std::vector<ExpectedTensor>& expected) {
  for (const ExpectedTensor& tensor : expected) {
    const TensorView& stored = shard.at(tensor.name);
    const TensorOrigin origin{shard.path().filename().string(), tensor.name, stored.file_offset};
    if (stored.shape != tensor.shape) {
      origin.fail(0, "shape is not the one config.json asks for");
    }
    if (stored.dtype != DType::kF16 && stored.dtype != DType::kBf16 &&
        stored.dtype != DType::kF32) {
      origin.fail(0, "dtype ", name_of(stored.dtype), ", expected F16, BF16 or F32");
    }
  }
}

PackedConfig read_config(const fs::path& model_directory) {
  const fs::path path = model_directory / "config.json";
  return read_packed_config(read_text_file(path), path.string());
}

}  // namespace

bool is_packed(const fs::path& model_directory) {
  const fs::path config = model_directory / "config.json";
  return fs::exists(model_directory / kManifestName) ||
         (fs::is_regular_file(config) && describes_packed_model(read_text_file(config)));
}

ModelConfig load_source_config(const fs::path& model_directory) {
  return is_packed(model_directory) ? parse_model_config(read_config(model_directory).source,
                                                         (model_directory / "config.json").string())
                                    : load_model_config(model_directory);
}

std::vector<ExpectedTensor> copied_tensors_of(const ModelConfig& config, int block) {
  std::vector<ExpectedTensor> tensors = block_tensors(config, block);
  std::erase_if(tensors, [&](const ExpectedTensor& tensor) {
    return std::any_of(kLinearKinds.begin(), kLinearKinds.end(), [&](LinearKind kind) {
      return tensor.name == linear_name(block, kind) + ".weight";
    });
  });
  return tensors;
}

PackedDirectory::PackedDirectory(fs::path path)
    : path_(std::move(path)), manifest_(read_manifest(path_)) {
  for (const ModelFile& file : manifest_.files) {
    check_size(path_, file);
  }
  packed_config_ = read_config(path_);
  config_ = parse_model_config(packed_config_.source, (path_ / "config.json").string());
  open_shards();
}

void PackedDirectory::open_shards() {
  const PackedFormat& format = packed_config_.format;
  for (int shard = 0; shard <= config_.blocks; ++shard) {
    const std::string name = shard_name(shard, config_.blocks);
    const bool listed = std::any_of(manifest_.files.begin(), manifest_.files.end(),
                                    [&](const ModelFile& file) { return file.name == name; });
    BTC_REQUIRE(FormatError, listed, path_.string(), ": ", kManifestName, " does not list ", name);
    const bool outer = shard == config_.blocks;
    shards_.push_back(SafetensorsFile::open(path_ / name));
    check_packed_metadata(shards_.back(), outer ? "outer" : std::to_string(shard));
    ledger_of(shards_.back());
    check_copied(shards_.back(),
                 outer ? outer_tensors(config_) : copied_tensors_of(config_, shard));
    if (!outer) {
      read_packed_transform(shards_.back(), shard, format, input_widths(config_));
    }
  }
  if (stores_codebook(format) && format.scope == CodebookScope::kModel) {
    model_codewords_ = read_packed_codebook(shards_.back(), kModelCodebookPrefix, format);
  }
}

QuantizedLinear PackedDirectory::linear(int block, LinearKind kind) const {
  BTC_CHECK(block >= 0 && block < config_.blocks, "block ", block, " of ", config_.blocks);
  const SafetensorsFile& shard = shards_.at(static_cast<std::size_t>(block));
  QuantizedLinear linear =
      read_packed_linear(shard, block, kind, packed_config_.format, &model_codewords_);
  const auto [rows, cols] = linear_shape(config_, kind);
  BTC_REQUIRE(FormatError, linear.rows == rows && linear.cols == cols,
              shard.path().filename().string(), ": ", linear_name(block, kind),
              ".weight_shape: got [", linear.rows, ", ", linear.cols, "], expected [", rows, ", ",
              cols, "]");
  return linear;
}

std::vector<std::vector<Pattern>> PackedDirectory::codewords(int block, LinearKind kind) const {
  return read_linear_codewords(shards_.at(static_cast<std::size_t>(block)), block, kind,
                               packed_config_.format, &model_codewords_);
}

OnlineFactors PackedDirectory::transform(int block) const {
  return read_packed_transform(shards_.at(static_cast<std::size_t>(block)), block,
                               packed_config_.format, input_widths(config_));
}

KroneckerFactors PackedDirectory::factors(int block, LinearKind kind) const {
  return transform(block).at(index_of(input_of(kind)));
}

Matrix<float> PackedDirectory::dense(int block, LinearKind kind) const {
  Matrix<float> weights = dequantize(linear(block, kind));
  fold_transform(factors(block, kind), weights.view());
  return weights;
}

void PackedDirectory::dense_rows(
    int block, LinearKind kind,
    const std::function<void(std::size_t, std::span<const double>)>& use) const {
  const Matrix<float> weights = dequantize(linear(block, kind));
  fold_rows(factors(block, kind), weights.view(), use);
}

}  // namespace btc
