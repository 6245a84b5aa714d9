#include "inspect/linear_statistics.hpp"

#include <cmath>

#include "backend/panel.hpp"

namespace btc {
namespace {

/// Counts as shares of their sum; nothing if that is 0.
std::vector<double> shares_of(const std::vector<std::size_t>& counts) {
  std::size_t total = 0;
  for (const std::size_t count : counts) {
    total += count;
  }
  std::vector<double> shares;
  for (std::size_t k = 0; total > 0 && k < counts.size(); ++k) {
    shares.push_back(static_cast<double>(counts[k]) / static_cast<double>(total));
  }
  return shares;
}

}  // namespace

LinearStatistics linear_statistics(int block, LinearKind kind, const QuantizedLinear& linear) {
  LinearStatistics result{block, kind, linear.rows, linear.cols, 0, {}, {}, {}};
  const std::size_t salient = linear.salient_columns.size();
  result.salient_share = static_cast<double>(salient) / static_cast<double>(linear.cols);
  std::vector<std::size_t> groups(linear.groups, 0);
  std::vector<std::size_t> salient_groups(linear.salient_groups, 0);
  if (linear.group.empty()) {
    groups[0] = linear.rows * (linear.cols - salient);
    salient_groups[0] = linear.rows * salient;
  }
  for (const std::uint8_t group : linear.group.values()) {
    ++(is_salient(group) ? salient_groups.at(salient_group(group)) : groups.at(group));
  }
  result.group_shares = shares_of(groups);
  result.salient_shares = shares_of(salient_groups);
  return result;
}

double relative_weight_error(const Matrix<float>& packed, const Matrix<float>& original) {
  BTC_CHECK(packed.rows() == original.rows() && packed.cols() == original.cols(), "[",
            packed.rows(), ", ", packed.cols(), "] against [", original.rows(), ", ",
            original.cols(), "]");
  double error = 0;
  double norm = 0;
  for (std::size_t e = 0; e < packed.size(); ++e) {
    const auto w = static_cast<double>(original.values()[e]);
    const double difference = static_cast<double>(packed.values()[e]) - w;
    error += difference * difference;
    norm += w * w;
  }
  return norm > 0 ? std::sqrt(error / norm) : 0;
}

}  // namespace btc
