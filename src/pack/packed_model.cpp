#include "pack/packed_model.hpp"

#include <utility>

#include "pack/packed_directory.hpp"

namespace btc {

struct PackedModel::State {
  PackedDirectory directory;

  [[nodiscard]] const SafetensorsFile& outer() const { return directory.shards().back(); }
};

PackedModel::PackedModel(std::unique_ptr<State> state) : state_(std::move(state)) {}
PackedModel::~PackedModel() = default;

std::unique_ptr<PackedModel> PackedModel::open(const std::filesystem::path& model_directory) {
  auto state = std::make_unique<State>(State{PackedDirectory(model_directory)});
  return std::unique_ptr<PackedModel>(new PackedModel(std::move(state)));
}

const ModelConfig& PackedModel::config() const { return state_->directory.config(); }

const PackedDirectory& PackedModel::directory() const { return state_->directory; }

BlockWeights PackedModel::load_block(int block) const {
  BlockWeights weights = load_rest(block);
  for (const LinearKind kind : kLinearKinds) {
    weights.linear.at(index_of(kind)) = state_->directory.dense(block, kind);
  }
  return weights;
}

BlockWeights PackedModel::load_rest(int block) const {
  BlockWeights weights;
  const SafetensorsFile& shard = state_->directory.shards().at(static_cast<std::size_t>(block));
  const auto values = [&](const std::string& name) { return to_float(shard.at(name)); };
  for (const LinearKind kind : kLinearKinds) {
    if (config().bias.at(index_of(kind))) {
      weights.bias.at(index_of(kind)) = values(linear_name(block, kind) + ".bias");
    }
  }
  const std::string prefix = concat("model.layers.", block, ".");
  weights.input_norm = values(prefix + "input_layernorm.weight");
  weights.post_attention_norm = values(prefix + "post_attention_layernorm.weight");
  if (config().qk_norm) {
    weights.q_norm = values(prefix + "self_attn.q_norm.weight");
    weights.k_norm = values(prefix + "self_attn.k_norm.weight");
  }
  return weights;
}

Matrix<float> PackedModel::embed(std::span<const std::int32_t> ids) const {
  const TensorView& table = state_->outer().at("model.embed_tokens.weight");
  const std::size_t hidden = config().hidden;
  Matrix<float> rows(ids.size(), hidden);
  for (std::size_t t = 0; t < ids.size(); ++t) {
    BTC_REQUIRE(InputError, ids[t] >= 0 && std::cmp_less(ids[t], config().vocab_size), "token ", t,
                ": id ", ids[t], ", expected 0 to ", config().vocab_size - 1);
    to_float(table, static_cast<std::size_t>(ids[t]) * hidden, rows.row(t));
  }
  return rows;
}

std::vector<float> PackedModel::final_norm() const {
  return to_float(state_->outer().at("model.norm.weight"));
}

Matrix<float> PackedModel::head() const {
  const char* name = config().tied_head ? "model.embed_tokens.weight" : "lm_head.weight";
  Matrix<float> head(config().vocab_size, config().hidden);
  head.values() = to_float(state_->outer().at(name));
  return head;
}

}  // namespace btc
