#include "pipeline/encoded_model.hpp"

#include <utility>

#include "pipeline/encode.hpp"
#include "pipeline/stored_block.hpp"

namespace btc {

BlockWeights EncodedModel::load_block(int block) const {
  StoredBlock stored = read_stored_block(store_, sweep_.encode.at(static_cast<std::size_t>(block)),
                                         codebook_unit(config_, sweep_, block), config(), block,
                                         packed_format(config_));
  return ScaledBlock(std::move(stored.linear), std::move(stored.rest), NormGains::kFrozen,
                     std::move(stored.transform))
      .weights();
}

}  // namespace btc
