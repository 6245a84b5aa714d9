#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <numeric>
#include <thread>

#include "common/error.hpp"
#include "common/linear_code.hpp"
#include "common/rng.hpp"
#include "support/backends.hpp"

namespace btc {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

constexpr std::int32_t kDearest = std::int32_t{1} << 26;

class Codewords : public test::BackendTest {};
BTC_FOR_ALL_BACKENDS(Codewords);

std::vector<Pattern> random_patterns(int v, std::size_t n, Rng& rng) {
  std::vector<Pattern> patterns(n);
  for (auto& pattern : patterns) {
    pattern = static_cast<Pattern>(rng.below(std::uint64_t{1} << v));
  }
  return patterns;
}

using DrawCost = std::function<std::int32_t(Rng&)>;

Matrix<std::int32_t> random_costs(std::size_t n, int v, const DrawCost& draw, Rng& rng) {
  Matrix<std::int32_t> costs(n, static_cast<std::size_t>(v));
  for (auto& cost : costs.values()) {
    cost = draw(rng);
  }
  return costs;
}

/// Distributions of costs, from none tied to nearly all tied.
std::vector<std::pair<std::string, DrawCost>> cost_kinds() {
  return {
      {"normal", [](Rng& rng) { return static_cast<std::int32_t>(std::abs(rng.normal()) * 1e6); }},
      {"small", [](Rng& rng) { return static_cast<std::int32_t>(rng.below(4)); }},
      {"coin", [](Rng& rng) { return static_cast<std::int32_t>(rng.below(2)); }},
      {"mostly zero",
       [](Rng& rng) { return rng.below(6) == 0 ? static_cast<std::int32_t>(rng.below(9)) : 0; }},
      {"zero", [](Rng&) { return 0; }},
      {"equal", [](Rng&) { return 5; }},
      {"dearest", [](Rng&) { return kDearest; }}};
}

void expect_same(const CodewordSearch& search, const CodewordSearch& truth, std::size_t n,
                 Rng& rng) {
  const int v = truth.vector_length();
  const auto own = random_patterns(v, n, rng);
  std::vector<std::uint32_t> index(n);
  std::vector<std::uint32_t> expected(n);
  search.nearest(own, index);
  truth.nearest(own, expected);
  EXPECT_EQ(index, expected) << "Hamming";
  for (const auto& [name, draw] : cost_kinds()) {
    const auto costs = random_costs(n, v, draw, rng);
    search.nearest_weighted(own, costs.view(), index);
    truth.nearest_weighted(own, costs.view(), expected);
    EXPECT_EQ(index, expected) << name;
  }
}

void expect_reference(Backend& backend, const std::vector<Pattern>& codewords, int v, std::size_t n,
                      Rng& rng) {
  const auto search = backend.open_codewords(codewords, v);
  const auto truth = make_reference_backend()->open_codewords(codewords, v);
  expect_same(*search, *truth, n, rng);
}

// v = 4, own 0b0000, costs of bits 0 to 3: 3, 1, 2, 4. The codewords cost 10, 1 + 2, 3 and 4: the
// tie goes to the lower index. By Hamming the last two are 1 away, and again the lower one wins.
TEST_P(Codewords, HandCheckedSearch) {
  const std::vector<Pattern> codewords = {0b1111, 0b0110, 0b0001, 0b1000};
  const auto search = backend_->open_codewords(codewords, 4);
  EXPECT_EQ(search->vector_length(), 4);
  EXPECT_THAT(search->codewords(), ElementsAreArray(codewords));
  std::vector<std::uint32_t> index(2);
  search->nearest(std::vector<Pattern>{0b0000, 0b1110}, index);
  EXPECT_THAT(index, ElementsAre(2, 0));
  Matrix<std::int32_t> costs(2, 4);
  costs.values() = {3, 1, 2, 4, 9, 0, 0, 1};
  search->nearest_weighted(std::vector<Pattern>{0b0000, 0b1111}, costs.view(), index);
  EXPECT_THAT(index, ElementsAre(1, 0));
}

TEST_P(Codewords, MatchesReferenceForEveryVectorLength) {
  for (int v = kMinVectorLength; v <= kMaxVectorLength; ++v) {
    SCOPED_TRACE(v);
    Rng rng(derive_seed(1, "codewords", static_cast<std::uint64_t>(v)));
    expect_reference(*backend_, random_patterns(v, 400 + rng.below(400), rng), v, 30, rng);
  }
}

TEST_P(Codewords, LinearCodeIsTheListOfItsCodewords) {
  Rng rng(20);
  const auto search = backend_->open_linear_code();
  EXPECT_EQ(search->vector_length(), kLinearCodeLength);
  EXPECT_THAT(search->codewords(), ElementsAreArray(linear_code_words()));
  const auto truth =
      make_reference_backend()->open_codewords(linear_code_words(), kLinearCodeLength);
  expect_same(*search, *truth, 12, rng);
  const std::vector<Pattern> wanted(1);
  const Matrix<std::int32_t> too_dear(1, 20, kDearest + 1);
  std::vector<std::uint32_t> nearest(1);
  EXPECT_THROW(search->nearest_weighted(wanted, too_dear.view(), nearest), Error);
}

TEST_P(Codewords, MatchesReferenceAtDenseAndSparseCodebooks) {
  Rng rng(6);
  expect_reference(*backend_, random_patterns(16, 7131, rng), 16, 40, rng);
  expect_reference(*backend_, random_patterns(18, 21618, rng), 18, 10, rng);
  expect_reference(*backend_, random_patterns(24, 20000, rng), 24, 10, rng);
  expect_reference(*backend_, random_patterns(12, 900, rng), 12, 200, rng);
  expect_reference(*backend_, random_patterns(24, 3, rng), 24, 40, rng);
}

TEST_P(Codewords, OneCodewordIsAlwaysChosen) {
  Rng rng(7);
  for (const int v : {4, 16, 24}) {
    const auto search = backend_->open_codewords(random_patterns(v, 1, rng), v);
    const auto own = random_patterns(v, 50, rng);
    std::vector<std::uint32_t> index(50, 9);
    search->nearest_weighted(
        own,
        random_costs(
            50, v, [](Rng& r) { return static_cast<std::int32_t>(r.below(99)); }, rng)
            .view(),
        index);
    EXPECT_THAT(index, Each(0U));
  }
}

TEST_P(Codewords, EveryPatternAsCodewordIsFoundAtNoCost) {
  Rng rng(8);
  for (const int v : {4, 9, 16}) {
    std::vector<Pattern> codewords(std::size_t{1} << v);
    std::iota(codewords.rbegin(), codewords.rend(), Pattern{0});
    const auto search = backend_->open_codewords(codewords, v);
    const auto own = random_patterns(v, 40, rng);
    std::vector<std::uint32_t> index(40);
    search->nearest_weighted(own,
                             random_costs(
                                 40, v, [](Rng&) { return 1; }, rng)
                                 .view(),
                             index);
    for (std::size_t i = 0; i < own.size(); ++i) {
      EXPECT_EQ(codewords[index[i]], own[i]);
    }
  }
}

TEST_P(Codewords, LowestOfEqualCodewordsWins) {
  Rng rng(9);
  auto codewords = random_patterns(12, 300, rng);
  const auto copy = codewords;
  codewords.insert(codewords.end(), copy.begin(), copy.end());
  expect_reference(*backend_, codewords, 12, 200, rng);
}

TEST_P(Codewords, SeveralThreadsMayAskAtOnce) {
  Rng rng(10);
  const auto search = backend_->open_codewords(random_patterns(14, 900, rng), 14);
  const auto own = random_patterns(14, 700, rng);
  const auto costs = random_costs(700, 14, cost_kinds()[1].second, rng);
  std::vector<std::vector<std::uint32_t>> found(4, std::vector<std::uint32_t>(own.size()));
  std::vector<std::thread> threads;
  threads.reserve(found.size());
  for (auto& index : found) {
    threads.emplace_back([&] { search->nearest_weighted(own, costs.view(), index); });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_THAT(found, Each(found[0]));
}

TEST_P(Codewords, CostsMayBeAStridedView) {
  Rng rng(11);
  const auto codewords = random_patterns(10, 100, rng);
  const auto search = backend_->open_codewords(codewords, 10);
  const auto own = random_patterns(10, 30, rng);
  const auto wide = random_costs(30, 20, cost_kinds()[0].second, rng);
  Matrix<std::int32_t> packed(30, 10);
  for (std::size_t i = 0; i < 30; ++i) {
    for (std::size_t j = 0; j < 10; ++j) {
      packed(i, j) = wide(i, j + 7);
    }
  }
  std::vector<std::uint32_t> strided_index(30);
  std::vector<std::uint32_t> packed_index(30);
  search->nearest_weighted(own, wide.view().columns(7, 17), strided_index);
  search->nearest_weighted(own, packed.view(), packed_index);
  EXPECT_EQ(strided_index, packed_index);
}

template <typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no InputError";
}

TEST_P(Codewords, BadInputIsNamed) {
  EXPECT_THAT(error_of([&] { backend_->open_codewords(std::vector<Pattern>{1}, 25); }),
              HasSubstr("got 25, expected 4 to 24"));
  EXPECT_THAT(error_of([&] { backend_->open_codewords({}, 16); }), HasSubstr("got 0, expected 1"));
  EXPECT_THAT(error_of([&] {
                backend_->open_codewords(std::vector<Pattern>{1, 32}, 5);
              }),
              HasSubstr("codeword 1: got 32, expected less than 2^5"));
  const auto search = backend_->open_codewords(std::vector<Pattern>{1, 3}, 4);
  std::vector<std::uint32_t> index(1);
  const std::vector<Pattern> own = {2};
  const std::vector<Pattern> large = {16};
  EXPECT_THAT(error_of([&] { search->nearest(large, index); }), HasSubstr("got 16"));
  EXPECT_THAT(error_of([&] { search->nearest(own, {}); }), HasSubstr("1 patterns and 0 results"));
  const auto ask = [&](const std::vector<std::int32_t>& costs) {
    return error_of([&] {
      search->nearest_weighted(own, MatrixView<const std::int32_t>(costs.data(), 1, costs.size()),
                               index);
    });
  };
  EXPECT_THAT(ask({1, 2, 3}), HasSubstr("costs [1, 3]"));
  EXPECT_THAT(ask({1, 2, -3, 0}), HasSubstr("got -3, expected 0 to 67108864"));
  EXPECT_THAT(ask({1, 2, kDearest + 1, 0}), HasSubstr("got 67108865"));
}

}  // namespace
}  // namespace btc
