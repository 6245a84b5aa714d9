#include "tokenizer/bpe.hpp"

#include <algorithm>
#include <mutex>
#include <queue>
#include <shared_mutex>

#include "common/error.hpp"
#include "common/matrix.hpp"
#include "tokenizer/unicode.hpp"

namespace btc {

/// Ids of pieces seen before. Full, it keeps what it has: the frequent pieces came early.
class Bpe::Cache {
 public:
  static constexpr std::size_t kMaxPieceBytes = 128;

  /// Appends the ids of a piece that is known. @return whether it is
  bool append(std::string_view piece, std::vector<std::int32_t>& ids) const {
    const std::shared_lock lock(mutex_);
    const auto found = pieces_.find(piece);
    if (found == pieces_.end()) {
      return false;
    }
    ids.insert(ids.end(), found->second.begin(), found->second.end());
    return true;
  }
  void insert(std::string_view piece, const std::vector<std::int32_t>& ids) {
    constexpr std::size_t kMaxPieces = std::size_t{1} << 17U;
    const std::unique_lock lock(mutex_);
    if (pieces_.size() < kMaxPieces) {
      pieces_.emplace(piece, ids);
    }
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, std::vector<std::int32_t>, StringHash, std::equal_to<>> pieces_;
};

/// Bytes [begin, end) of a piece as one token, in a list of those that are left.
struct Bpe::Symbol {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::int32_t id = 0;
  std::size_t previous = 0;
  std::size_t next = 0;
  bool alive = true;
};

Bpe::Bpe(BpeRules rules) : rules_(std::move(rules)), cache_(std::make_unique<Cache>()) {
  for (const auto& [token, id] : rules_.ids) {
    longest_token_ = std::max(longest_token_, token.size());
  }
  for (int byte = 0; byte < 256 && rules_.byte_symbols && !rules_.merges; ++byte) {
    BTC_REQUIRE(InputError, rules_.ids.contains(std::string(1, static_cast<char>(byte))),
                "no token for the byte ", byte);
  }
}
Bpe::~Bpe() = default;
Bpe::Bpe(Bpe&&) noexcept = default;
Bpe& Bpe::operator=(Bpe&&) noexcept = default;

std::optional<std::int32_t> Bpe::id_of(std::string_view token) const {
  const auto found = rules_.ids.find(token);
  return found == rules_.ids.end() ? std::nullopt : std::optional(found->second);
}

std::vector<Bpe::Symbol> Bpe::symbols_of(std::string_view piece) const {
  std::vector<Symbol> symbols;
  symbols.reserve(piece.size());
  bool fusable = false;  // the last symbol is `unknown`
  for (std::size_t at = 0, end = 0; at < piece.size(); at = end) {
    end = at + (rules_.byte_symbols ? 1 : utf8_length(piece[at]));
    const auto id = id_of(piece.substr(at, end - at));
    if (id) {
      symbols.push_back({.begin = at, .end = end, .id = *id});
    } else if (rules_.byte_fallback) {
      for (std::size_t byte = at; byte < end; ++byte) {
        const auto value = static_cast<unsigned char>(piece[byte]);
        symbols.push_back({.begin = byte, .end = byte + 1, .id = rules_.byte_fallback->at(value)});
      }
    } else if (rules_.unknown && fusable && rules_.fuse_unknown) {
      symbols.back().end = end;
    } else if (rules_.unknown) {
      symbols.push_back({.begin = at, .end = end, .id = *rules_.unknown});
    }
    fusable = !id && !rules_.byte_fallback;
  }
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    symbols[i].previous = i - 1;  // of the first: out of range, like `next` of the last
    symbols[i].next = i + 1;
  }
  return symbols;
}

std::optional<Merge> Bpe::find_merge(std::string_view piece, const Symbol& left,
                                     const Symbol& right) const {
  if (rules_.merges) {
    const auto found = rules_.merges->find(pair_key(left.id, right.id));
    return found == rules_.merges->end() ? std::nullopt : std::optional(found->second);
  }
  const std::size_t bytes = right.end - left.begin;
  const auto id = bytes <= longest_token_ ? id_of(piece.substr(left.begin, bytes)) : std::nullopt;
  return id ? std::optional(Merge{.rank = *id, .id = *id}) : std::nullopt;
}

std::vector<std::int32_t> Bpe::merge_piece(std::string_view piece) const {
  std::vector<Symbol> symbols = symbols_of(piece);
  /// A pair as it was when it was found; stale once one of its symbols has changed.
  struct Candidate {
    Merge merge;
    std::size_t left = 0;
    std::size_t right = 0;
    std::size_t end = 0;
    bool operator<(const Candidate& other) const {  // the greatest is taken first
      return std::pair(merge.rank, left) > std::pair(other.merge.rank, other.left);
    }
  };
  std::priority_queue<Candidate> candidates;
  const auto consider = [&](std::size_t left, std::size_t right) {
    if (left >= symbols.size() || right >= symbols.size()) {
      return;
    }
    if (const auto merge = find_merge(piece, symbols[left], symbols[right])) {
      candidates.push({*merge, left, right, symbols[right].end});
    }
  };
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
    consider(i, i + 1);
  }
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = symbols[best.left];
    Symbol& right = symbols[best.right];
    if (!left.alive || !right.alive || left.next != best.right || right.end != best.end) {
      continue;
    }
    left.end = right.end;
    left.id = best.merge.id;
    left.next = right.next;
    right.alive = false;
    if (left.next < symbols.size()) {
      symbols[left.next].previous = best.left;
    }
    consider(left.previous, best.left);
    consider(best.left, left.next);
  }
  std::vector<std::int32_t> ids;
  for (const Symbol& symbol : symbols) {
    if (symbol.alive) {
      ids.push_back(symbol.id);
    }
  }
  return ids;
}

void Bpe::encode(std::string_view piece, std::vector<std::int32_t>& ids) const {
  if (rules_.whole_pieces) {
    if (const auto id = id_of(piece)) {
      ids.push_back(*id);
      return;
    }
  }
  const bool remember = piece.size() <= Cache::kMaxPieceBytes;
  if (remember && cache_->append(piece, ids)) {
    return;
  }
  const std::vector<std::int32_t> found = merge_piece(piece);
  ids.insert(ids.end(), found.begin(), found.end());
  if (remember) {
    cache_->insert(piece, found);
  }
}

}  // namespace btc
