#pragma once
/// Byte-pair encoding of one piece of text.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace btc {

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
using TokenIds = std::unordered_map<std::string, std::int32_t, StringHash, std::equal_to<>>;

/// What two neighbours become, and how early: lower ranks merge first.
struct Merge {
  std::int32_t rank = 0;
  std::int32_t id = 0;
};
/// Keyed by `pair_key(left id, right id)`.
using MergeTable = std::unordered_map<std::uint64_t, Merge>;
constexpr std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32U) |
         static_cast<std::uint32_t>(right);
}

/// A vocabulary and how it is used.
struct BpeRules {
  TokenIds ids;  ///< by the bytes (`byte_symbols`) or the characters of the token
  /// Without it ids are ranks: neighbours merge if their concatenation is a token (tiktoken).
  std::optional<MergeTable> merges;
  bool whole_pieces = false;  ///< a piece that is a token is taken whole (`ignore_merges`)
  bool byte_symbols = false;  ///< merging starts from bytes; else from characters
  /// For characters without a token: the tokens of their bytes, if given, ...
  std::optional<std::array<std::int32_t, 256>> byte_fallback;
  /// ... else this one, if given. Else they yield nothing.
  std::optional<std::int32_t> unknown;
  bool fuse_unknown = false;  ///< unknown characters in a row yield one `unknown`
};

/// Encodes pieces and remembers short ones. Safe to use from several threads.
class Bpe {
 public:
  /// @throws InputError naming a byte that a byte-level rank list lacks
  explicit Bpe(BpeRules rules);
  ~Bpe();
  Bpe(Bpe&&) noexcept;
  Bpe& operator=(Bpe&&) noexcept;

  /// Appends the ids of a piece: of all neighbours that may merge, those of the lowest rank do, the
  /// leftmost first, until there are none. O(n log n) in the length of the piece.
  /// @pre piece is valid UTF-8 unless `byte_symbols`
  void encode(std::string_view piece, std::vector<std::int32_t>& ids) const;
  [[nodiscard]] std::optional<std::int32_t> id_of(std::string_view token) const;

 private:
  class Cache;
  BpeRules rules_;
  std::size_t longest_token_ = 0;
  std::unique_ptr<Cache> cache_;

  struct Symbol;
  [[nodiscard]] std::vector<Symbol> symbols_of(std::string_view piece) const;
  [[nodiscard]] std::optional<Merge> find_merge(std::string_view piece, const Symbol& left,
                                                const Symbol& right) const;
  [[nodiscard]] std::vector<std::int32_t> merge_piece(std::string_view piece) const;
};

}  // namespace btc
