#pragma once
/// Panels for the tests of the encode and refit kernels.

#include <cmath>
#include <cstdint>
#include <vector>

#include "backend/backend.hpp"
#include "common/rng.hpp"

namespace btc::test {

enum class ColumnScales { kNone, kShared, kPerGroup };

struct PanelCaseParams {
  std::size_t rows = 9;
  std::size_t width = 40;
  std::size_t groups = 3;
  std::vector<std::uint32_t> salient = {};
  std::size_t salient_groups = 1;
  bool means = true;
  ColumnScales columns = ColumnScales::kNone;
  bool coarse = false;       ///< few values and exact sums: many ties
  bool fixed_group = false;  ///< all entries in group 0
};

/// One panel in the middle of a Linear, with scales.
struct PanelCase {
  Panel panel;
  Matrix<float> w;
  Matrix<float> u;
  PanelGroups groups;
  PanelScales scales;

  explicit PanelCase(const PanelCaseParams& p) : rng_(p.rows * 1000 + p.width), coarse_(p.coarse) {
    panel = {3, 3 + p.width};
    const std::size_t m = p.width + 5;
    w = values(p.rows, m, 1.0);
    u = Matrix<float>(m, m);
    for (std::size_t i = 0; i < m; ++i) {
      u(i, i) = coarse_ ? (i % 2 == 0 ? 1.0F : 0.5F) : static_cast<float>(0.5 + rng_.uniform());
      for (std::size_t j = i + 1; j < m; ++j) {
        u(i, j) = coarse_ ? (rng_.below(4) == 0 ? 0.25F : 0.0F)
                          : static_cast<float>(-0.6 * std::exp(-0.3 * static_cast<double>(j - i)) +
                                               0.01 * rng_.normal());
      }
    }
    make_groups(p);
    make_scales(p);
  }

  Rng& rng() { return rng_; }

 private:
  Matrix<float> values(std::size_t rows, std::size_t cols, double scale) {
    Matrix<float> result(rows, cols);
    for (float& x : result.values()) {
      const double value = scale * rng_.normal();
      x = static_cast<float>(coarse_ ? std::round(4 * value) / 4 : value);
    }
    return result;
  }
  void make_groups(const PanelCaseParams& p) {
    groups.count = p.groups;
    groups.salient = p.salient;
    groups.salient_count = p.salient_groups;
    groups.group = Matrix<std::uint8_t>(p.rows, p.width);
    for (std::size_t i = 0; i < p.rows && !p.fixed_group; ++i) {
      for (std::size_t j = 0; j < p.width; ++j) {
        groups.group(i, j) = static_cast<std::uint8_t>(rng_.below(p.groups));
      }
    }
    for (std::size_t i = 0; i < p.rows; ++i) {
      for (const std::uint32_t j : p.salient) {
        groups.group(i, j) = salient_code(rng_.below(p.salient_groups));
      }
    }
  }
  void make_scales(const PanelCaseParams& p) {
    scales.alpha = Matrix<float>(p.rows, p.groups);
    for (std::size_t i = 0; i < p.rows; ++i) {
      for (std::size_t g = 0; g < p.groups; ++g) {
        scales.alpha(i, g) =
            coarse_ ? 0.5F + 0.5F * static_cast<float>(g)
                    : static_cast<float>(0.3 + 0.5 * static_cast<double>(g) + 0.2 * rng_.uniform());
      }
    }
    if (p.means) {
      scales.mu = values(p.rows, p.groups, 0.2);
    }
    if (!p.salient.empty()) {
      scales.salient_alpha = values(p.rows, 2 * p.salient_groups, 1.0);
      for (float& alpha : scales.salient_alpha.values()) {
        alpha = std::fabs(alpha);
      }
      if (p.means) {
        scales.salient_mu = values(p.rows, p.salient_groups, 0.2).values();
      }
    }
    if (p.columns != ColumnScales::kNone) {
      const std::size_t count = p.columns == ColumnScales::kShared ? 1 : p.groups;
      scales.alpha_col = column_scales(count * p.width);
      if (p.columns == ColumnScales::kPerGroup) {
        scales.salient_alpha_col = column_scales(2 * p.salient_groups * p.salient.size());
      }
    }
  }
  std::vector<float> column_scales(std::size_t count) {
    std::vector<float> result(count);
    for (float& x : result) {
      x = coarse_ ? 1.0F : static_cast<float>(0.7 + 0.6 * rng_.uniform());
    }
    return result;
  }

  Rng rng_;
  bool coarse_;
};

/// [k] rank of each salient column.
inline std::vector<std::uint32_t> ranks(const PanelCase& c) {
  std::vector<std::uint32_t> rank(c.panel.width(), 0);
  for (std::size_t r = 0; r < c.groups.salient.size(); ++r) {
    rank[c.groups.salient[r]] = static_cast<std::uint32_t>(r);
  }
  return rank;
}

}  // namespace btc::test
