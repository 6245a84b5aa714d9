#include "model/key_value_cache.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "common/matrix.hpp"
#include "common/rng.hpp"
#include "support/random_matrix.hpp"

namespace btc {
namespace {

using test::random_matrix;

class KeyValueCacheTest : public ::testing::TestWithParam<std::size_t> {};

TEST_P(KeyValueCacheTest, EqualsPlainLoops) {
  const std::size_t head_dim = GetParam();
  constexpr std::size_t kItems = 2;
  constexpr std::size_t kQueries = 3;
  constexpr std::size_t kLength = 37;
  Rng rng(head_dim);
  KeyValueCache cache({kItems, kQueries, head_dim, kLength});
  const Matrix<float> keys = random_matrix(kItems * kLength, head_dim, rng);
  const Matrix<float> values = random_matrix(kItems * kLength, head_dim, rng);
  const Matrix<float> query = random_matrix(kQueries, head_dim, rng);
  for (std::size_t count = 1; count <= kLength; ++count) {
    for (std::size_t item = 0; item < kItems; ++item) {
      const std::size_t row = item * kLength + count - 1;
      cache.store(item, count - 1, keys.row(row).data(), values.row(row).data());
    }
    for (std::size_t item = 0; item < kItems; ++item) {
      Matrix<float> scores(kQueries, count);
      cache.score(item, count, query.data(), scores.data());
      const Matrix<float> weights = random_matrix(kQueries, count, rng);
      Matrix<float> mixed(kQueries, head_dim);
      cache.mix(item, count, weights.data(), mixed.data());
      for (std::size_t g = 0; g < kQueries; ++g) {
        std::vector<double> sum(head_dim, 0.0);
        for (std::size_t t = 0; t < count; ++t) {
          double product = 0;
          for (std::size_t d = 0; d < head_dim; ++d) {
            product +=
                static_cast<double>(query(g, d)) * static_cast<double>(keys(item * kLength + t, d));
            sum[d] += static_cast<double>(weights(g, t)) *
                      static_cast<double>(values(item * kLength + t, d));
          }
          ASSERT_NEAR(scores(g, t), product / std::sqrt(static_cast<double>(head_dim)), 1e-4);
        }
        for (std::size_t d = 0; d < head_dim; ++d) {
          ASSERT_NEAR(mixed(g, d), sum[d], 1e-4);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(HeadDims, KeyValueCacheTest, ::testing::Values(2, 12, 64, 80, 128));

}  // namespace
}  // namespace btc
