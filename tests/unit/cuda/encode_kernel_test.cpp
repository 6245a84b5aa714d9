/// The encode kernel's text with teams of host threads against the reference: all bits equal.
#include "cuda/arb/encode.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "panel_case.hpp"
#include "support/host_team.hpp"

namespace btc::cuda {
namespace {

using test::ColumnScales;
using test::PanelCase;
using test::PanelCaseParams;

/// Codewords and their look-up, as the device has them.
struct Codec {
  std::vector<Pattern> codewords;
  std::vector<std::uint32_t> labels;
  std::unique_ptr<CodewordSearch> search;
};

Codec make_codec(int v, std::size_t count, Rng& rng) {
  Codec codec;
  for (std::size_t c = 0; c < count; ++c) {
    codec.codewords.push_back(static_cast<Pattern>(rng.below(std::uint64_t{1} << v)));
  }
  codec.search = make_reference_backend()->open_codewords(codec.codewords, v);
  return codec;
}

void look_up_all(Codec& codec) {
  std::vector<Pattern> all(std::size_t{1} << codec.search->vector_length());
  for (std::size_t x = 0; x < all.size(); ++x) {
    all[x] = static_cast<Pattern>(x);
  }
  codec.labels.resize(all.size());
  codec.search->nearest(all, codec.labels);
}

PanelCode encode_by_teams(int team_size, const PanelCase& c, const EncodeRule& rule,
                          const Codec* codec) {
  const std::size_t n = c.w.rows();
  const std::size_t k = c.panel.width();
  const std::vector<std::uint32_t> rank = test::ranks(c);
  PanelCode code;
  code.signs = BitMatrix(n, k);
  code.residual = BitMatrix(n, c.groups.salient.size());
  code.group = Matrix<std::uint8_t>(n, k, 77);
  code.target = Matrix<float>(n, k);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < k; ++j) {
      code.target(i, j) = c.w(i, c.panel.begin + j);
    }
  }
  EncodeProblem p;
  p.u = c.u.view().sub(c.panel.begin, c.panel.end, c.panel.begin, c.panel.end);
  p.given = c.groups.group.view();
  p.rank = rank;
  p.scales = c.scales.view();
  p.thresholds = rule.group_thresholds;
  p.groups = c.groups.count;
  p.chunk = rule.chunk;
  p.grouping = rule.grouping;
  p.sequential = rule.compensation == Compensation::kSequential;
  std::vector<FlipCosts> tables;
  if (codec != nullptr) {
    p.codewords = codec->codewords;
    p.vector_length = codec->search->vector_length();
    p.labels = codec->labels;
    code.index = Matrix<std::uint32_t>(n, ceil_div(k, rule.chunk), 1U << 30U);
    tables.resize(static_cast<std::size_t>(flip_table_entries(p.vector_length)));
  }
  const EncodeOutput out{{code.signs.bytes().data(), code.signs.row_bytes()},
                         {code.residual.bytes().data(), code.residual.row_bytes()},
                         code.index.view(),
                         code.group.view(),
                         code.target.view()};
  for (std::size_t first = 0; first < n; first += kEncodeRows) {
    const auto rows = static_cast<std::uint32_t>(std::min<std::size_t>(kEncodeRows, n - first));
    const auto chunk = std::make_unique<EncodeChunk>();
    test::run_team(team_size, [&](const test::HostTeam& team) {
      encode_rows(team, p, out, first, rows, *chunk, tables.data());
    });
  }
  return code;
}

/// Runs the rule with several teams; `codec` may be null.
void expect_reference(const PanelCase& c, EncodeRule rule, const Codec* codec) {
  rule.codewords = codec == nullptr ? nullptr : codec->search.get();
  const auto session = make_reference_backend()->open_arb(c.w.view(), c.u.view());
  const PanelCode expected = session->encode(c.panel, c.groups, c.scales, rule);
  std::vector<int> team_sizes = {1, 32};
  if (c.w.rows() > kEncodeRows) {
    team_sizes.push_back(64);
  }
  for (const int team_size : team_sizes) {
    SCOPED_TRACE(concat("team of ", team_size));
    const PanelCode code = encode_by_teams(team_size, c, rule, codec);
    EXPECT_EQ(code.signs, expected.signs);
    EXPECT_EQ(code.residual, expected.residual);
    EXPECT_EQ(code.index, expected.index);
    EXPECT_EQ(code.group, expected.group);
    EXPECT_EQ(code.target, expected.target);
  }
}

Matrix<float> thresholds(const PanelCase& c) {
  Matrix<float> result(c.w.rows(), c.groups.count - 1);
  for (std::size_t i = 0; i < result.rows(); ++i) {
    for (std::size_t t = 0; t < result.cols(); ++t) {
      result(i, t) = 0.5F + 0.75F * static_cast<float>(t);
    }
  }
  return result;
}

struct CodecParams {
  int v;
  Assignment assignment;
};

class EncodeKernelTest : public ::testing::TestWithParam<PanelCaseParams> {
 protected:
  PanelCase case_{GetParam()};
};

TEST_P(EncodeKernelTest, FreeSignsEqualTheReference) {
  const Matrix<float> cuts = thresholds(case_);
  for (const std::size_t chunk : {1U, 7U, 16U, 24U}) {
    for (const Grouping grouping : {Grouping::kGiven, Grouping::kThresholds, Grouping::kNearest}) {
      SCOPED_TRACE(concat("chunk ", chunk, ", grouping ", static_cast<int>(grouping)));
      EncodeRule rule;
      rule.chunk = chunk;
      rule.grouping = grouping;
      rule.group_thresholds = cuts.view();
      expect_reference(case_, rule, nullptr);
    }
  }
}

TEST_P(EncodeKernelTest, CodewordsEqualTheReference) {
  const Matrix<float> cuts = thresholds(case_);
  for (const CodecParams params :
       {CodecParams{4, Assignment::kHamming}, CodecParams{10, Assignment::kHamming},
        CodecParams{4, Assignment::kWeighted}, CodecParams{11, Assignment::kWeighted},
        CodecParams{16, Assignment::kWeighted}, CodecParams{24, Assignment::kWeighted}}) {
    Codec codec = make_codec(params.v, params.v == 4 ? 3 : 70, case_.rng());
    if (params.assignment == Assignment::kHamming) {
      look_up_all(codec);
    }
    for (const Grouping grouping : {Grouping::kGiven, Grouping::kThresholds, Grouping::kNearest}) {
      SCOPED_TRACE(concat("v ", params.v, ", assignment ", static_cast<int>(params.assignment),
                          ", grouping ", static_cast<int>(grouping)));
      EncodeRule rule;
      rule.chunk = static_cast<std::size_t>(params.v);
      rule.grouping = grouping;
      rule.assignment = params.assignment;
      rule.group_thresholds = cuts.view();
      expect_reference(case_, rule, &codec);
    }
  }
}

TEST_P(EncodeKernelTest, OnlySequentialCompensationActsInside) {
  const Codec codec = make_codec(10, 30, case_.rng());
  for (const Compensation kind :
       {Compensation::kNone, Compensation::kBlock, Compensation::kExact}) {
    SCOPED_TRACE(concat("compensation ", static_cast<int>(kind)));
    EncodeRule rule;
    rule.chunk = 10;
    rule.compensation = kind;
    expect_reference(case_, rule, &codec);
    expect_reference(case_, rule, nullptr);
  }
}

const std::vector<PanelCaseParams>& cases() {
  static const std::vector<PanelCaseParams> all = {
      {.rows = 1, .width = 1, .groups = 1},
      {.rows = 3, .width = 5, .groups = 2, .salient = {4}},
      {.rows = 9, .width = 31, .salient = {0, 1, 7, 30}, .salient_groups = 4},
      {.rows = 8, .width = 33, .groups = 8, .salient = {32}, .columns = ColumnScales::kShared},
      {.rows = 3,
       .width = 40,
       .groups = 2,
       .salient = {2, 9, 10, 11, 12, 13, 14, 15, 16, 17},
       .salient_groups = 2,
       .means = false,
       .columns = ColumnScales::kPerGroup},
      {.rows = 3, .width = 130, .salient = {5, 77}},
      {.rows = 17, .width = 40, .salient = {3, 20}, .salient_groups = 2, .coarse = true},
      {.rows = 4, .width = 26, .groups = 1, .means = false, .coarse = true},
      {.rows = 2, .width = 30, .salient = {29}, .fixed_group = true}};
  return all;
}

INSTANTIATE_TEST_SUITE_P(Panels, EncodeKernelTest, ::testing::ValuesIn(cases()),
                         [](const auto& test_case) {
                           return concat("rows", test_case.param.rows, "width",
                                         test_case.param.width);
                         });

}  // namespace
}  // namespace btc::cuda
