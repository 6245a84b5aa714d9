#include "pipeline/sign_training.hpp"

#include <utility>

#include "pipeline/codebooks.hpp"
#include "pipeline/transforms.hpp"

namespace btc {

void SignTraining::add_to(ScaledBlock& block, int number, double rate) {
  const Searches& searches = searches_of(number);
  const BlockWeights original = load_entered_block(store_, units_, original_, number);
  std::vector<LatentSigns> latent;
  for (std::size_t i = 0; i < block.linear().size(); ++i) {
    const CodewordSearch* search =
        searches.empty() ? nullptr : searches[searches.size() == 1 ? 0 : i].get();
    latent.emplace_back(block.linear().at(i), original.linear.at(i).view(), search);
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
  Searches searches;
  if (config_.codebook && config_.codebook->codec == Codec::kLinear2016) {
    searches.push_back(backend_.open_linear_code());
  } else if (const Unit* unit = codebook_unit(config_, units_, block); unit != nullptr) {
    const auto codebooks = store_.read_hashed(*unit, [&] { return read_codebooks(unit->file); });
    for (const Codebook& codebook : codebooks) {
      searches.push_back(backend_.open_codewords(codebook.codewords, codebook.vector_length));
    }
  }
  return searches;
}

}  // namespace btc
