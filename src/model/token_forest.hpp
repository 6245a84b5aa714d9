#pragma once
/// Token sequences that are run together, with the beginnings that they share stored once.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace btc {

/// N tokens in G trees. A sequence is the path from a root to one of its tokens; a token sees what
/// stands on its path and nothing else, so what it predicts does not depend on the other branches.
/// Row-wise parts of a block run over all N tokens at once, without padding.
///
/// The sequences [5, 6, 7] and [5, 6, 8, 9] as one tree, and [4] as another:
///     ids    5 6 7 8 9 | 4
///     parent - 0 1 1 3 | -
///     tree_start 0 5 6
struct TokenForest {
  static constexpr std::int32_t kRoot = -1;  ///< the parent of a first token

  std::vector<std::int32_t> ids;           ///< [N]
  std::vector<std::int32_t> parent;        ///< [N] an earlier token of the same tree, or kRoot
  std::vector<std::size_t> tree_start{0};  ///< [G + 1], rising from 0 to N

  [[nodiscard]] std::size_t tokens() const { return ids.size(); }
  [[nodiscard]] std::size_t trees() const { return tree_start.size() - 1; }
  /// Position of each token in its sequence, from 0 [N].
  [[nodiscard]] std::vector<std::int64_t> positions() const;
  /// Whether tree `tree` is one sequence in its order.
  [[nodiscard]] bool is_chain(std::size_t tree) const;
  /// What is added to the attention scores of a tree of n tokens [n, n]: entry (i, j) is 0 where
  /// token j is on the path of token i (i itself included), else minus infinity.
  [[nodiscard]] std::vector<float> attention_mask(std::size_t tree) const;

  /// Appends a token to the tree that is being built. @return its index
  std::int32_t add(std::int32_t id, std::int32_t parent_token);
  /// Appends a whole sequence below `parent_token`. @return index of its last token
  std::int32_t add(std::span<const std::int32_t> sequence, std::int32_t parent_token = kRoot);
  /// Ends the tree that is being built.
  void end_tree() { tree_start.push_back(ids.size()); }
};

}  // namespace btc
