#include "quant/params.hpp"

#include <gmock/gmock.h>

#include "common/error.hpp"

namespace btc {
namespace {

using ::testing::HasSubstr;

CodebookParams with_bits(double bits, int v) {
  CodebookParams params;
  params.target_bits = bits;
  params.vector_length = v;
  return params;
}

template <typename Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no ConfigError";
}

TEST(CodebookSize, FollowsFromTheTarget) {
  EXPECT_EQ(codebook_size(with_bits(0.9, 16)), 21618U);
  EXPECT_EQ(codebook_size(with_bits(0.8, 16)), 7131U);
  EXPECT_EQ(codebook_size(with_bits(0.7, 16)), 2352U);
  EXPECT_EQ(codebook_size(with_bits(1.0, 4)), 16U);
  EXPECT_EQ(codebook_size(with_bits(0.8, 24)), 602248U);
}

TEST(CodebookSize, WantsExactlyOneOfTargetAndCentroids) {
  CodebookParams params;
  EXPECT_THROW(codebook_size(params), ConfigError);
  params.centroids = 100;
  EXPECT_EQ(codebook_size(params), 100U);
  params.target_bits = 0.8;
  EXPECT_THAT(message_of([&] { codebook_size(params); }), HasSubstr("exactly one"));
}

TEST(CodebookSize, RefusesWhatDoesNotFit) {
  CodebookParams params;
  params.vector_length = 8;
  params.centroids = 257;
  EXPECT_THAT(message_of([&] { codebook_size(params); }), HasSubstr("1..256"));
  params.centroids = 0;
  EXPECT_THROW(codebook_size(params), ConfigError);
  EXPECT_THAT(message_of([] { codebook_size(with_bits(0.95, 24)); }), HasSubstr("1048576"));
  EXPECT_THROW(codebook_size(with_bits(0.8, 3)), ConfigError);
  EXPECT_THROW(codebook_size(with_bits(0.8, 25)), ConfigError);
  EXPECT_THROW(codebook_size(with_bits(1.2, 16)), ConfigError);
}

TEST(BinarizeParams, EightBitScalesHaveNoSalientColumns) {
  BinarizeParams params;
  params.scales = ScaleLayout::kRowRatioI8;
  EXPECT_THAT(message_of([&] { check_params(params, {}); }),
              HasSubstr("expected none with scales"));
  params.salient = SalientRule::kNone;
  EXPECT_NO_THROW(check_params(params, {}));
  params.split_points = 0;
  EXPECT_THAT(message_of([&] { check_params(params, {}); }), HasSubstr("expects split points"));
}

TEST(BinarizeParams, RowScalesAndTheExactSolverBelongToArb) {
  BinarizeParams params;
  params.scales = ScaleLayout::kRow;
  check_params(params, std::nullopt);
  params.method = FitRule::kArbX;
  EXPECT_THAT(message_of([&] { check_params(params, std::nullopt); }),
              HasSubstr("binarize.method: got arb_x, expected arb"));
  params.scales = ScaleLayout::kPanel;
  check_params(params, std::nullopt);
  params.solver = FitSolver::kExact;
  EXPECT_THAT(message_of([&] { check_params(params, std::nullopt); }),
              HasSubstr("binarize.solver: got exact"));
}

TEST(CheckParams, SalientGroupsNeedSearchedSplits) {
  BinarizeParams params;
  params.salient_groups = true;
  EXPECT_THAT(message_of([&] { check_params(params, std::nullopt); }),
              HasSubstr("binarize.salient_groups: got true"));
  params.split_rule = SplitRule::kSearch;
  check_params(params, std::nullopt);
}

TEST(CheckParams, CodebooksOfPanelsNeedScalesOfPanels) {
  BinarizeParams params;
  CodebookParams codebook = with_bits(0.8, 20);
  codebook.scope = CodebookScope::kBlockGroup;
  check_params(params, codebook);
  EXPECT_EQ(codebooks_of_linear(4096, params, codebook), 35U) << "panels of 120 columns";
  params.scales = ScaleLayout::kRow;
  EXPECT_THAT(message_of([&] { check_params(params, codebook); }),
              HasSubstr("codebook.scope: got block_group"));
  codebook.scope = CodebookScope::kLinear;
  EXPECT_EQ(codebooks_of_linear(4096, params, codebook), 1U);
}

TEST(CheckParams, SetsAreCodedAfterTheirPanel) {
  BinarizeParams params;
  CodebookParams codebook = with_bits(0.8, 20);
  codebook.layout = CodebookLayout::kMasked;
  const auto message = [&] { return message_of([&] { check_params(params, codebook); }); };
  EXPECT_THAT(message(), HasSubstr("codebook.layout: got masked"));
  codebook.encode = EncodeMode::kPost;
  EXPECT_THAT(message(), HasSubstr("codebook.layout: got masked"));
  codebook.assignment = Assignment::kHamming;
  EXPECT_EQ(message(), "no ConfigError");
  EXPECT_EQ(panel_width(params, codebook), 128U) << "vectors do not follow the columns";
  codebook.scope = CodebookScope::kBlockGroup;
  EXPECT_EQ(codebooks_of_linear(4096, params, codebook), 32U * (3 + 2));
  params.salient = SalientRule::kNone;
  EXPECT_EQ(codebooks_of_linear(4096, params, codebook), 32U * 3);
  params.scales = ScaleLayout::kRow;
  EXPECT_THAT(message(), HasSubstr("codebook.layout: got masked"));
}

TEST(CodebookSize, OfTheLinearCodeIsGiven) {
  CodebookParams params;
  params.codec = Codec::kLinear2016;
  EXPECT_THAT(message_of([&] { codebook_size(params); }), HasSubstr("expected 20"));
  params.vector_length = 20;
  EXPECT_EQ(codebook_size(params), 65536U);
  EXPECT_FALSE(learns_codebook(params));
  params.scope = CodebookScope::kBlock;
  EXPECT_THAT(message_of([&] { codebook_size(params); }), HasSubstr("expected scope model"));
  params.scope = CodebookScope::kModel;
  params.target_bits = 0.8;
  EXPECT_THAT(message_of([&] { codebook_size(params); }), HasSubstr("neither"));
}

TEST(PanelWidth, IsCutToWholeSubVectors) {
  EXPECT_EQ(panel_width({}, std::nullopt), 128U);
  EXPECT_EQ(panel_width({}, with_bits(0.8, 16)), 128U);
  EXPECT_EQ(panel_width({}, with_bits(0.8, 20)), 120U);
}

TEST(CheckParams, NamesTheKeyAndWhatIsAllowed) {
  const auto message = [](auto change, std::optional<CodebookParams> codebook = std::nullopt) {
    BinarizeParams params;
    change(params);
    return message_of([&] { check_params(params, codebook); });
  };
  EXPECT_EQ(message([](auto&) {}), "no ConfigError");
  EXPECT_THAT(message([](auto& p) { p.split_points = 4; }), HasSubstr("split_points: got 4"));
  EXPECT_THAT(message([](auto& p) { p.iterations = -1; }), HasSubstr("binarize.iterations"));
  EXPECT_THAT(message([](auto& p) { p.panel = 0; }), HasSubstr("binarize.panel"));
  EXPECT_THAT(message([](auto& p) { p.damping = 0; }), HasSubstr("binarize.damping"));
  EXPECT_THAT(message([](auto& p) { p.salient_fraction = 1.5; }), HasSubstr("0..1"));
  EXPECT_THAT(message([](auto& p) { p.group_fractions = {0.1}; }), HasSubstr("not fraction"));
  EXPECT_THAT(message([](auto& p) { p.split_rule = SplitRule::kFraction; }),
              HasSubstr("expected 2"));
  EXPECT_THAT(message([](auto& p) {
                p.split_rule = SplitRule::kFraction;
                p.group_fractions = {0.5, 0.6};
              }),
              HasSubstr("add up to 1.1"));
  EXPECT_THAT(message([](auto& p) { p.panel = 8; }, with_bits(0.8, 16)), HasSubstr("at least"));
}

}  // namespace
}  // namespace btc
