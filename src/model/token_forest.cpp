#include "model/token_forest.hpp"

#include <algorithm>
#include <limits>

#include "common/error.hpp"
#include "common/matrix.hpp"

namespace btc {

std::vector<std::int64_t> TokenForest::positions() const {
  std::vector<std::int64_t> positions(tokens());
  for (std::size_t i = 0; i < tokens(); ++i) {
    positions[i] = parent[i] == kRoot ? 0 : positions[static_cast<std::size_t>(parent[i])] + 1;
  }
  return positions;
}

bool TokenForest::is_chain(std::size_t tree) const {
  const std::size_t first = tree_start[tree];
  for (std::size_t i = first; i < tree_start[tree + 1]; ++i) {
    if (parent[i] != (i == first ? kRoot : narrow<std::int32_t>(i) - 1)) {
      return false;
    }
  }
  return true;
}

std::vector<float> TokenForest::attention_mask(std::size_t tree) const {
  const std::size_t first = tree_start[tree];
  const std::size_t n = tree_start[tree + 1] - first;
  std::vector<float> mask(n * n, -std::numeric_limits<float>::infinity());
  for (std::size_t i = 0; i < n; ++i) {
    if (parent[first + i] != kRoot) {
      const std::size_t before = static_cast<std::size_t>(parent[first + i]) - first;
      const auto from = mask.begin() + static_cast<std::ptrdiff_t>(before * n);
      std::copy_n(from, before + 1, mask.begin() + static_cast<std::ptrdiff_t>(i * n));
    }
    mask[i * n + i] = 0.0F;
  }
  return mask;
}

std::int32_t TokenForest::add(std::int32_t id, std::int32_t parent_token) {
  BTC_CHECK(parent_token == kRoot || (std::cmp_greater_equal(parent_token, tree_start.back()) &&
                                      std::cmp_less(parent_token, tokens())),
            "parent ", parent_token, " is no token of this tree");
  ids.push_back(id);
  parent.push_back(parent_token);
  return narrow<std::int32_t>(ids.size() - 1);
}

std::int32_t TokenForest::add(std::span<const std::int32_t> sequence, std::int32_t parent_token) {
  std::int32_t last = parent_token;
  for (const std::int32_t id : sequence) {
    last = add(id, last);
  }
  return last;
}

}  // namespace btc
