#include "model/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "common/error.hpp"
#include "common/hash.hpp"
#include "io/atomic_file.hpp"

namespace btc {

namespace {

namespace fs = std::filesystem;
using Problems = std::vector<std::string>;

constexpr std::string_view kSingleFile = "model.safetensors";
constexpr std::string_view kIndexFile = "model.safetensors.index.json";

bool holds_file_ending_in(const fs::path& directory, std::string_view ending) {
  return std::any_of(fs::directory_iterator(directory), fs::directory_iterator(),
                     [&](const auto& entry) {
                       return std::string_view(entry.path().filename().native()).ends_with(ending);
                     });
}

/// The shard names of an index, ascending; what is wrong with it goes into `problems`.
std::set<std::string> index_shards(const fs::path& path, Problems& problems) {
  std::set<std::string> names;
  const auto index = nlohmann::json::parse(read_text_file(path), nullptr, false);
  const bool good = index.is_object() && index.contains("weight_map") &&
                    index["weight_map"].is_object() && !index["weight_map"].empty();
  if (!good) {
    problems.push_back(concat(path.filename().string(),
                              ": expected a JSON object whose `weight_map` names tensors"));
    return names;
  }
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    if (name.empty() || name.find('/') != std::string::npos) {
      problems.push_back(concat(path.filename().string(), ": ", tensor,
                                ": expected the name of a file beside it, found ", file.dump()));
    } else {
      names.insert(name);
    }
  }
  return names;
}

/// Names of the weight files, ascending.
std::set<std::string> weight_files(const fs::path& directory, Problems& problems) {
  if (fs::exists(directory / kSingleFile)) {
    return {std::string(kSingleFile)};
  }
  if (fs::exists(directory / kIndexFile)) {
    return index_shards(directory / kIndexFile, problems);
  }
  const std::string expected = concat("expected ", kSingleFile, " or ", kIndexFile);
  if (holds_file_ending_in(directory, ".bin") || holds_file_ending_in(directory, ".pth")) {
    problems.push_back(concat("weights only as .bin or .pth (pickle), which is not supported; ",
                              expected, ": convert the checkpoint to safetensors"));
  } else {
    problems.push_back(concat("no weights; ", expected));
  }
  return {};
}

std::vector<SafetensorsFile> open_shards(const fs::path& directory, Problems& problems) {
  std::vector<SafetensorsFile> shards;
  for (const std::string& name : weight_files(directory, problems)) {
    if (!fs::exists(directory / name)) {
      problems.push_back(concat("shard ", name, ": missing"));
      continue;
    }
    try {
      shards.push_back(SafetensorsFile::open(directory / name));
    } catch (const FormatError& error) {
      problems.emplace_back(error.what());
    }
  }
  return shards;
}

const TensorView* find_tensor(const std::vector<SafetensorsFile>& shards, const std::string& name) {
  for (const SafetensorsFile& shard : shards) {
    if (const TensorView* tensor = shard.find(name)) {
      return tensor;
    }
  }
  return nullptr;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t extent : shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  }
  return text + "]";
}

bool readable(DType dtype) {
  return dtype == DType::kF16 || dtype == DType::kBf16 || dtype == DType::kF32;
}

void check_tensor(const std::vector<SafetensorsFile>& shards, const ExpectedTensor& expected,
                  Problems& problems) {
  const TensorView* tensor = find_tensor(shards, expected.name);
  if (tensor == nullptr) {
    problems.push_back(concat(expected.name, ": missing, expected ", shape_text(expected.shape)));
    return;
  }
  if (tensor->shape != expected.shape) {
    problems.push_back(concat(expected.name, ": shape ", shape_text(tensor->shape), ", expected ",
                              shape_text(expected.shape)));
  }
  if (!readable(tensor->dtype)) {
    problems.push_back(
        concat(expected.name, ": dtype ", name_of(tensor->dtype), ", expected F16, BF16 or F32"));
  }
}

constexpr std::array<std::string_view, 2> kColumnTensors = {".wscale", ".wbias"};

/// Scale and mean of the columns, of a Linear that has either.
void check_binary(const std::vector<SafetensorsFile>& shards, const std::string& linear,
                  std::int64_t columns, Problems& problems) {
  const bool any = std::ranges::any_of(kColumnTensors, [&](std::string_view suffix) {
    return find_tensor(shards, concat(linear, suffix)) != nullptr;
  });
  for (std::size_t i = 0; any && i < kColumnTensors.size(); ++i) {
    const std::string name = concat(linear, kColumnTensors.at(i));
    const TensorView* tensor = find_tensor(shards, name);
    const bool row = tensor != nullptr && tensor->shape == std::vector<std::int64_t>{1, columns};
    check_tensor(shards, {name, row ? tensor->shape : std::vector<std::int64_t>{columns}},
                 problems);
  }
}

/// @throws InputError with every problem; a long list is cut
void throw_problems(const fs::path& directory, const Problems& problems) {
  constexpr std::size_t kShown = 50;
  if (problems.empty()) {
    return;
  }
  std::string message = concat(directory.string(), ": ", problems.size(),
                               problems.size() == 1 ? " problem" : " problems");
  for (std::size_t i = 0; i < std::min(problems.size(), kShown); ++i) {
    message += "\n  " + problems[i];
  }
  if (problems.size() > kShown) {
    message += concat("\n  and ", problems.size() - kShown, " more");
  }
  throw InputError(message);
}

std::string place_of(int block) {
  return block < 0 ? "outside the blocks" : concat("block ", block);
}

void check_finite(std::span<const float> values, const std::string& tensor, int block) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    BTC_REQUIRE(NumericError, std::isfinite(values[i]), tensor, " (", place_of(block),
                "): element ", i, " is ", values[i], ", expected a finite weight");
  }
}

}  // namespace

Checkpoint::Checkpoint(ModelConfig config, std::vector<SafetensorsFile> shards)
    : config_(std::move(config)), shards_(std::move(shards)) {}

std::unique_ptr<Checkpoint> Checkpoint::open(const fs::path& directory) {
  ModelConfig config = load_model_config(directory);
  Problems problems;
  std::vector<SafetensorsFile> shards = open_shards(directory, problems);
  if (!shards.empty()) {
    for (const ExpectedTensor& tensor : outer_tensors(config)) {
      check_tensor(shards, tensor, problems);
    }
    for (int block = 0; block < config.blocks; ++block) {
      for (const ExpectedTensor& tensor : block_tensors(config, block)) {
        check_tensor(shards, tensor, problems);
      }
      for (const LinearKind kind : kLinearKinds) {
        check_binary(shards, linear_name(block, kind),
                     narrow<std::int64_t>(linear_shape(config, kind)[1]), problems);
      }
    }
  }
  throw_problems(directory, problems);
  return std::unique_ptr<Checkpoint>(new Checkpoint(std::move(config), std::move(shards)));
}

const TensorView& Checkpoint::tensor(const std::string& name) const {
  const TensorView* found = find_tensor(shards_, name);
  BTC_REQUIRE(FormatError, found != nullptr, name, ": no such tensor in the checkpoint");
  return *found;
}

std::vector<float> Checkpoint::values(const std::string& name, int block) const {
  std::vector<float> result = to_float(tensor(name));
  check_finite(result, name, block);
  return result;
}

bool Checkpoint::is_binary(const std::string& linear) const {
  return find_tensor(shards_, concat(linear, kColumnTensors[0])) != nullptr;
}

void Checkpoint::apply_signs(const std::string& linear, int block, Matrix<float>& weight) const {
  const std::vector<float> scale = values(concat(linear, kColumnTensors[0]), block);
  const std::vector<float> mean = values(concat(linear, kColumnTensors[1]), block);
  for (std::size_t i = 0; i < weight.rows(); ++i) {
    for (std::size_t j = 0; j < weight.cols(); ++j) {
      weight(i, j) = (weight(i, j) >= 0.0F ? scale[j] : -scale[j]) + mean[j];
    }
  }
}

BlockWeights Checkpoint::load_block(int block) const {
  BTC_CHECK(block >= 0 && block < config_.blocks, "block ", block, " of ", config_.blocks);
  BlockWeights weights;
  for (const LinearKind kind : kLinearKinds) {
    const auto [n, m] = linear_shape(config_, kind);
    const std::string name = linear_name(block, kind);
    Matrix<float>& linear = weights.linear.at(index_of(kind));
    linear = Matrix<float>(n, m);
    linear.values() = values(name + ".weight", block);
    if (is_binary(name)) {
      apply_signs(name, block, linear);
    }
    if (config_.bias.at(index_of(kind))) {
      weights.bias.at(index_of(kind)) = values(name + ".bias", block);
    }
  }
  const std::string prefix = concat("model.layers.", block, ".");
  weights.input_norm = values(prefix + "input_layernorm.weight", block);
  weights.post_attention_norm = values(prefix + "post_attention_layernorm.weight", block);
  if (config_.qk_norm) {
    weights.q_norm = values(prefix + "self_attn.q_norm.weight", block);
    weights.k_norm = values(prefix + "self_attn.k_norm.weight", block);
  }
  return weights;
}

Matrix<float> Checkpoint::embed(std::span<const std::int32_t> ids) const {
  const std::string name = "model.embed_tokens.weight";
  const TensorView& table = tensor(name);
  Matrix<float> rows(ids.size(), config_.hidden);
  for (std::size_t t = 0; t < ids.size(); ++t) {
    BTC_REQUIRE(InputError,
                std::cmp_greater_equal(ids[t], 0) && std::cmp_less(ids[t], config_.vocab_size),
                "token ", t, ": id ", ids[t], ", expected 0 to ", config_.vocab_size - 1);
    to_float(table, static_cast<std::size_t>(ids[t]) * config_.hidden, rows.row(t));
  }
  check_finite(rows.values(), name, -1);
  return rows;
}

std::vector<float> Checkpoint::final_norm() const { return values("model.norm.weight", -1); }

Matrix<float> Checkpoint::head() const {
  Matrix<float> head;
  head = Matrix<float>(config_.vocab_size, config_.hidden);
  head.values() = values(config_.tied_head ? "model.embed_tokens.weight" : "lm_head.weight", -1);
  return head;
}

std::string Checkpoint::fingerprint(int block) const {
  for (const SafetensorsFile& shard : shards_) {
    shard.check_not_cut();
  }
  std::vector<ExpectedTensor> tensors =
      block < 0 ? outer_tensors(config_) : block_tensors(config_, block);
  for (const LinearKind kind : kLinearKinds) {
    const std::string linear = linear_name(block, kind);
    for (std::size_t i = 0; block >= 0 && is_binary(linear) && i < kColumnTensors.size(); ++i) {
      tensors.push_back({concat(linear, kColumnTensors.at(i)), {}});
    }
  }
  std::sort(tensors.begin(), tensors.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  std::string text;
  for (const ExpectedTensor& expected : tensors) {
    const TensorView& view = tensor(expected.name);
    text += concat(view.name, " ", name_of(view.dtype), " ", shape_text(view.shape), " ",
                   xxh3_128_hex(view.bytes), "\n");
  }
  return xxh3_128_hex(std::as_bytes(std::span(text)));
}

std::vector<fs::path> Checkpoint::files() const {
  std::vector<fs::path> paths;
  for (const SafetensorsFile& shard : shards_) {
    paths.push_back(shard.path());
  }
  return paths;
}

}  // namespace btc
