#pragma once
/// How often the codewords of a packed model are used.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/ids.hpp"
#include "common/pattern.hpp"
#include "pack/packed_directory.hpp"

namespace btc {

/// One codebook with the number of sub-vectors that have each codeword.
struct CodebookUsage {
  std::string owner;  ///< of its tensor, with `#k` behind it where that has several
  int vector_length = 0;
  std::vector<Pattern> codewords;
  std::vector<std::uint64_t> counts;  ///< as many as codewords

  [[nodiscard]] std::uint64_t total() const;
  [[nodiscard]] std::size_t unused() const;
  /// Entropy of the indices in bits: what an ideal code for them would take each.
  [[nodiscard]] double entropy() const;
  /// Indices of the `count` most frequent ones, falling, lower ones first on ties.
  [[nodiscard]] std::vector<std::size_t> most_frequent(std::size_t count) const;
};

/// Counts over the Linears that are shown to it.
class CodebookCounter {
 public:
  /// @param directory must outlive this object
  explicit CodebookCounter(const PackedDirectory& directory) : directory_(directory) {}
  void add(int block, LinearKind kind, const QuantizedLinear& linear);
  /// In the order in which they were first used; empty without codec.
  [[nodiscard]] const std::vector<CodebookUsage>& codebooks() const { return codebooks_; }

 private:
  std::size_t open(const std::string& owner, const std::vector<Pattern>& codewords);
  const PackedDirectory& directory_;
  std::vector<CodebookUsage> codebooks_;
  std::map<std::string, std::size_t> by_owner_;
};

/// Signs of a pattern, the first column first: `+-++`.
std::string signs_text(Pattern pattern, int vector_length);

}  // namespace btc
