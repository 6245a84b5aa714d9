#include "inspect/codebook_usage.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "pack/linear_layout.hpp"
#include "quant/sign_sets.hpp"

namespace btc {
namespace {

/// Tensor owner of the codebooks of a Linear.
std::string owner_of(const PackedFormat& format, int block, LinearKind kind) {
  if (format.codec == Codec::kLinear2016) {
    return std::string(kCodecNames.at(static_cast<std::size_t>(format.codec)));
  }
  switch (format.scope) {
    case CodebookScope::kModel:
      return kModelCodebookPrefix;
    case CodebookScope::kBlock:
      return block_codebook_prefix(block);
    case CodebookScope::kLinear:
    case CodebookScope::kBlockGroup:
      return linear_name(block, kind);
  }
  BTC_THROW(Error, "unknown scope of codebooks");
}

/// For every sub-vector in stored order, the number of its codebook in the Linear.
std::vector<std::size_t> codebook_numbers(const QuantizedLinear& linear,
                                          const LinearLayout& layout) {
  std::vector<std::size_t> numbers;
  numbers.reserve(linear.index.size());
  if (!linear.masked) {
    for (std::size_t i = 0; i < linear.rows; ++i) {
      for (std::size_t s = 0; s < layout.sub_vectors; ++s) {
        numbers.push_back(layout.codebook_of(s));
      }
    }
    return numbers;
  }
  for_each_panel(linear, layout.sets, [&](std::size_t b, const PanelSets& panel) {
    for (std::size_t set = 0; set < panel.sets.size(); ++set) {
      const std::size_t vectors = panel.sets[set].vectors(linear.vector_length);
      numbers.insert(numbers.end(), vectors, layout.codebook_of_set(b, set));
    }
  });
  return numbers;
}

}  // namespace

std::uint64_t CodebookUsage::total() const {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

std::size_t CodebookUsage::unused() const {
  return static_cast<std::size_t>(std::count(counts.begin(), counts.end(), std::uint64_t{0}));
}

double CodebookUsage::entropy() const {
  const auto all = static_cast<double>(total());
  double bits = 0;
  for (const std::uint64_t count : counts) {
    if (count > 0) {
      const double share = static_cast<double>(count) / all;
      bits -= share * std::log2(share);
    }
  }
  return bits;
}

std::vector<std::size_t> CodebookUsage::most_frequent(std::size_t count) const {
  std::vector<std::size_t> order(counts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::size_t kept = std::min(count, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                    [&](std::size_t a, std::size_t b) {
                      return counts[a] > counts[b] || (counts[a] == counts[b] && a < b);
                    });
  order.resize(kept);
  return order;
}

std::size_t CodebookCounter::open(const std::string& owner, const std::vector<Pattern>& codewords) {
  const auto [entry, is_new] = by_owner_.try_emplace(owner, codebooks_.size());
  if (is_new) {
    codebooks_.push_back({owner, directory_.packed_config().format.vector_length, codewords,
                          std::vector<std::uint64_t>(codewords.size(), 0)});
  }
  return entry->second;
}

void CodebookCounter::add(int block, LinearKind kind, const QuantizedLinear& linear) {
  const PackedFormat& format = directory_.packed_config().format;
  if (format.vector_length == 0) {
    return;
  }
  const LinearLayout layout(linear.rows, linear.cols, linear.salient_columns.size(), format);
  const auto codewords = directory_.codewords(block, kind);
  const std::string owner = owner_of(format, block, kind);
  std::vector<std::size_t> opened;
  for (std::size_t k = 0; k < codewords.size(); ++k) {
    opened.push_back(open(codewords.size() == 1 ? owner : concat(owner, "#", k), codewords[k]));
  }
  const std::vector<std::size_t> numbers = codebook_numbers(linear, layout);
  BTC_CHECK(numbers.size() == linear.index.size(), numbers.size(), " sub-vectors of ",
            linear.index.size());
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    ++codebooks_[opened.at(numbers[k])].counts.at(linear.index.values()[k]);
  }
}

std::string signs_text(Pattern pattern, int vector_length) {
  std::string text;
  for (int b = 0; b < vector_length; ++b) {
    text += ((pattern >> static_cast<unsigned>(b)) & 1U) != 0 ? '+' : '-';
  }
  return text;
}

}  // namespace btc
