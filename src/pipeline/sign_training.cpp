#include "pipeline/sign_training.hpp"

#include <utility>

#include "pipeline/codebooks.hpp"
#include "pipeline/transforms.hpp"

namespace btc {

void SignTraining::add_to(ScaledBlock& block, int number, double rate) {
  const Searches& searches = searches_of(number);
  const BlockWeights original = load_entered_block(store_, units_, original_, number);
  std::vector<LatentSigns> latent;
  for (const LinearKind kind : kLinearKinds) {
    const std::size_t i = index_of(kind);
    latent.emplace_back(block.linear().at(i), original.linear.at(i).view(),
                        search_of(searches, kind));
  }
  block.train_signs(std::move(latent), rate);
}

const SignTraining::Searches& SignTraining::searches_of(int block) {
  const bool shared = config_.codebook && config_.codebook->scope == CodebookScope::kModel;
  if (opened_.empty() || !shared) {
    opened_.push_back(std::make_unique<Searches>(open(block)));
  }
  return *opened_.back();
}

SignTraining::Searches SignTraining::open(int block) const {
  std::vector<Codebook> codebooks;
  if (const Unit* unit = codebook_unit(config_, units_, block); unit != nullptr) {
    codebooks = store_.read_hashed(*unit, [&] { return read_codebooks(unit->file); });
  }
  return open_searches(config_.codebook, codebooks, backend_);
}

}  // namespace btc
