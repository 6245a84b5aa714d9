#pragma once
/// Layout `masked`: the sets of signs that BTC-LLM Alg. 1 and 2 turn into vectors.
///
/// A set is the entries of one panel that were binarized together, in one sign plane: group by
/// group of the first plane, the salient groups of the first plane, the salient groups of the
/// second. Its signs, row by row, are cut into vectors of length v; the last one is padded with +1,
/// -1, +1, ... Vectors of a Linear are in the order of its panels and, within a panel, of its sets.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "common/bit_matrix.hpp"
#include "common/matrix.hpp"
#include "common/pattern.hpp"
#include "quant/params.hpp"
#include "quant/quantized_linear.hpp"

namespace btc {

/// How entries of a panel are grouped. @see backend/panel.hpp
struct SignGroups {
  std::size_t groups = 1;          ///< G
  std::size_t salient_groups = 1;  ///< g
  bool salient = false;            ///< whether columns may be salient
  /// Sets of a panel, which may be empty.
  [[nodiscard]] std::size_t sets() const { return groups + (salient ? 2 * salient_groups : 0); }
};

SignGroups sign_groups(const BinarizeParams& binarize);

/// Where a sign is.
struct SignPlace {
  std::size_t row = 0;
  std::size_t column = 0;  ///< of the panel; in the second plane the rank of its salient column
};

/// One set of a panel.
struct SignSet {
  bool second = false;  ///< in the second plane
  std::vector<SignPlace> places;
  [[nodiscard]] std::size_t vectors(int vector_length) const;
};

/// The sets of a panel in their order. @param group [n, k] 0..G-1, or `salient_code`
std::vector<SignSet> sign_sets(const Matrix<std::uint8_t>& group, const SignGroups& groups);

/// Vectors of a set. @param plane holds its signs, the panel's from column `begin` on
std::vector<Pattern> set_vectors(const SignSet& set, const BitMatrix& plane, std::size_t begin,
                                 int vector_length);
/// The opposite; what stands for padding is dropped. @param vectors as many as the set has
void put_vectors(const SignSet& set, std::span<const Pattern> vectors, std::size_t begin,
                 int vector_length, BitMatrix& plane);

/// The sets of a panel of a Linear, and where their signs lie.
struct PanelSets {
  std::vector<SignSet> sets;
  std::size_t column = 0;  ///< the panel's first one in `signs`
  std::size_t rank = 0;    ///< its first one in `residual`
  [[nodiscard]] std::size_t begin(const SignSet& set) const { return set.second ? rank : column; }
};

/// Calls `visit(b, sets)` for panel b of a Linear, one after the other: the sets of all panels
/// would take more memory than the Linear.
void for_each_panel(const QuantizedLinear& linear, const SignGroups& groups,
                    const std::function<void(std::size_t, const PanelSets&)>& visit);

/// Vectors of a Linear.
std::size_t vector_count(const QuantizedLinear& linear, const SignGroups& groups,
                         int vector_length);

/// Signs of both planes from the vectors of all sets.
/// @param vector_of called with the number of panel, set and vector of the Linear, in order
void fill_signs(const SignGroups& groups,
                const std::function<Pattern(std::size_t, std::size_t, std::size_t)>& vector_of,
                int vector_length, QuantizedLinear& linear);

/// Histogram of every set, in order.
std::vector<PatternHistogram> set_histograms(const QuantizedLinear& linear,
                                             const SignGroups& groups, int vector_length);

}  // namespace btc
