#include "tokenizer/bpe.hpp"

#include <gmock/gmock.h>

#include "common/error.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;
using Ids = std::vector<std::int32_t>;

Ids encode(const Bpe& bpe, std::string_view piece) {
  Ids ids;
  bpe.encode(piece, ids);
  return ids;
}

/// Tokens a=0 b=1 c=2 ab=3 bc=4 abc=5 aa=6; (b,c) merges before (a,b), (a,bc) and (a,a).
BpeRules small_rules() {
  BpeRules rules;
  rules.ids = {{"a", 0}, {"b", 1}, {"c", 2}, {"ab", 3}, {"bc", 4}, {"abc", 5}, {"aa", 6}};
  rules.merges = MergeTable{{pair_key(1, 2), {0, 4}},
                            {pair_key(0, 1), {1, 3}},
                            {pair_key(0, 4), {2, 5}},
                            {pair_key(0, 0), {3, 6}}};
  return rules;
}

TEST(Bpe, LowRanksMergeFirst) {
  const Bpe bpe(small_rules());
  EXPECT_THAT(encode(bpe, "abc"), ElementsAre(5));  // a b c, a bc, abc
  EXPECT_THAT(encode(bpe, "abab"), ElementsAre(3, 3));
  EXPECT_THAT(encode(bpe, ""), ElementsAre());
}

TEST(Bpe, OfEqualPairsTheLeftmostMerges) {
  const Bpe bpe(small_rules());
  EXPECT_THAT(encode(bpe, "aaa"), ElementsAre(6, 0));
  EXPECT_THAT(encode(bpe, "aaaab"), ElementsAre(6, 0, 3));  // (a,b) came first
}

TEST(Bpe, AKnownPieceGivesTheSameIdsAgain) {
  const Bpe bpe(small_rules());
  EXPECT_EQ(encode(bpe, "abcaab"), encode(bpe, "abcaab"));
}

TEST(Bpe, OnlyAMergeListMayLeaveATokenUnreached) {
  BpeRules rules = small_rules();
  rules.ids.emplace("ca", 7);
  EXPECT_THAT(encode(Bpe(rules), "ca"), ElementsAre(2, 0));
  rules.whole_pieces = true;
  EXPECT_THAT(encode(Bpe(rules), "ca"), ElementsAre(7));
  EXPECT_THAT(encode(Bpe(rules), "caa"), ElementsAre(2, 6));
}

TEST(Bpe, UnknownCharactersFollowTheRules) {
  BpeRules rules = small_rules();
  const std::string_view text = "a\xC3\xA9xb";
  EXPECT_THAT(encode(Bpe(rules), text), ElementsAre(3));  // nothing stands between a and b
  rules.unknown = 9;
  EXPECT_THAT(encode(Bpe(rules), text), ElementsAre(0, 9, 9, 1));
  rules.fuse_unknown = true;
  EXPECT_THAT(encode(Bpe(rules), text), ElementsAre(0, 9, 1));
  EXPECT_THAT(encode(Bpe(rules), "xaxx"), ElementsAre(9, 0, 9));
  rules.byte_fallback.emplace();
  for (std::int32_t byte = 0; byte < 256; ++byte) {
    rules.byte_fallback->at(static_cast<std::size_t>(byte)) = 1000 + byte;
  }
  EXPECT_THAT(encode(Bpe(rules), text), ElementsAre(0, 1000 + 0xC3, 1000 + 0xA9, 1000 + 'x', 1));
}

TEST(Bpe, ALongPieceTakesNoSquareOfItsLength) {
  const Bpe bpe(small_rules());
  const Ids ids = encode(bpe, std::string(1'000'001, 'a'));
  EXPECT_EQ(ids.size(), 500'001U);
  EXPECT_EQ(ids.front(), 6);
  EXPECT_EQ(ids.back(), 0);
}

TEST(Bpe, ARankListNeedsEveryByte) {
  BpeRules rules;
  rules.byte_symbols = true;
  for (int byte = 0; byte < 256; ++byte) {
    rules.ids.emplace(std::string(1, static_cast<char>(byte)), byte);
  }
  EXPECT_NO_THROW(Bpe{rules});
  rules.ids.erase("A");
  EXPECT_THROW(Bpe{rules}, InputError);
}

}  // namespace
}  // namespace btc
