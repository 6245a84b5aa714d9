#include "pipeline/stored_block.hpp"

#include <algorithm>
#include <utility>

#include "pipeline/codebooks.hpp"

namespace btc {
namespace {

/// The norms of a block by the names of their tensors.
std::vector<std::pair<std::string, std::vector<float> BlockWeights::*>> norms_of(
    const ModelConfig& model, int block) {
  const std::string prefix = concat("model.layers.", block, ".");
  std::vector<std::pair<std::string, std::vector<float> BlockWeights::*>> norms = {
      {prefix + "input_layernorm.weight", &BlockWeights::input_norm},
      {prefix + "post_attention_layernorm.weight", &BlockWeights::post_attention_norm}};
  if (model.qk_norm) {
    norms.emplace_back(prefix + "self_attn.q_norm.weight", &BlockWeights::q_norm);
    norms.emplace_back(prefix + "self_attn.k_norm.weight", &BlockWeights::k_norm);
  }
  return norms;
}

BlockWeights read_rest(const SafetensorsFile& file, const ModelConfig& model, int block) {
  BlockWeights rest;
  for (const auto& [name, member] : norms_of(model, block)) {
    rest.*member = to_float(file.at(name));
  }
  for (const LinearKind kind : kLinearKinds) {
    if (model.bias.at(index_of(kind))) {
      rest.bias.at(index_of(kind)) = to_float(file.at(linear_name(block, kind) + ".bias"));
    }
  }
  return rest;
}

void add_biases(TensorStore& store, const Checkpoint& checkpoint, int block,
                const BlockWeights& weights) {
  for (const LinearKind kind : kLinearKinds) {
    if (checkpoint.config().bias.at(index_of(kind))) {
      store.add_rounded(checkpoint.tensor(linear_name(block, kind) + ".bias"),
                        weights.bias.at(index_of(kind)));
    }
  }
}

}  // namespace

StoredBlock read_stored_block(const UnitStore& store, const Unit& from, const Unit* codebook,
                              const ModelConfig& model, int block, const PackedFormat& format) {
  StoredBlock stored;
  std::vector<Pattern> shared;
  if (codebook != nullptr) {
    stored.codebooks = store.read_hashed(*codebook, [&] { return read_codebooks(codebook->file); });
    if (format.scope == CodebookScope::kModel) {
      shared = std::move(stored.codebooks.at(0).codewords);
      stored.codebooks.clear();
    }
  }
  store.read_hashed(from, [&] {
    const SafetensorsFile file = SafetensorsFile::open(from.file);
    check_packed_metadata(file, std::to_string(block));
    for (const LinearKind kind : kLinearKinds) {
      stored.linear.at(index_of(kind)) = read_packed_linear(file, block, kind, format, &shared);
    }
    stored.rest = read_rest(file, model, block);
    stored.transform = read_packed_transform(file, block, format, input_widths(model));
    return 0;
  });
  return stored;
}

void add_copied(TensorStore& store, const Checkpoint& checkpoint, int block,
                const BlockWeights& weights) {
  for (const auto& [name, member] : norms_of(checkpoint.config(), block)) {
    store.add_rounded(checkpoint.tensor(name), weights.*member);
  }
  add_biases(store, checkpoint, block, weights);
}

PackedBlockFile write_trained_block(const Unit& unit, const ScaledBlock& trained,
                                    const std::vector<Codebook>& codebooks,
                                    const Checkpoint& checkpoint, int block,
                                    const PackedFormat& format) {
  TensorStore copied;
  for (const auto& [name, member] : norms_of(checkpoint.config(), block)) {
    const std::vector<float>& values = trained.rest().*member;
    copied.add_halves(name, {narrow<std::int64_t>(values.size())}, values);
  }
  add_biases(copied, checkpoint, block, trained.rest());
  const PackedBlock packed = {.block = block,
                              .fingerprint = unit.fingerprint,
                              .linear = trained.linear(),
                              .codebooks = codebooks,
                              .copied = copied.views(),
                              .transform = trained.online()};
  return write_packed_block(unit.file, packed, format);
}

}  // namespace btc
