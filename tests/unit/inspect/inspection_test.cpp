#include "inspect/inspection.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "backend/panel.hpp"
#include "common/error.hpp"
#include "io/atomic_file.hpp"
#include "support/scratch.hpp"
#include "unit/pack/packed_cases.hpp"
#include "unit/pack/packed_fixture.hpp"

namespace btc {
namespace {

using nlohmann::json;
using test::make_format;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(LinearStatistics, AreSharesOfEntriesAndColumns) {
  QuantizedLinear linear;
  linear.rows = 2;
  linear.cols = 4;
  linear.panel = 4;
  linear.groups = 2;
  linear.salient_groups = 2;
  linear.salient_columns = {1};
  const auto low = salient_code(0);
  const auto high = salient_code(1);
  linear.group = Matrix<std::uint8_t>(2, 4, {0, low, 1, 0, 0, high, 0, 0});
  const LinearStatistics statistics = linear_statistics(3, LinearKind::kUp, linear);
  EXPECT_EQ(statistics.block, 3);
  EXPECT_EQ(statistics.kind, LinearKind::kUp);
  EXPECT_DOUBLE_EQ(statistics.salient_share, 0.25);
  EXPECT_THAT(statistics.group_shares, ElementsAre(5.0 / 6, 1.0 / 6));
  EXPECT_THAT(statistics.salient_shares, ElementsAre(0.5, 0.5));
  EXPECT_FALSE(statistics.relative_error.has_value());
}

TEST(LinearStatistics, OfOneGroupWithoutSalientColumns) {
  QuantizedLinear linear;
  linear.rows = 2;
  linear.cols = 4;
  const LinearStatistics statistics = linear_statistics(0, LinearKind::kQ, linear);
  EXPECT_THAT(statistics.group_shares, ElementsAre(1.0));
  EXPECT_TRUE(statistics.salient_shares.empty());
}

TEST(RelativeWeightError, IsTheShareOfTheNorm) {
  const Matrix<float> w(1, 2, {3, 4});
  EXPECT_DOUBLE_EQ(relative_weight_error(w, w), 0);
  EXPECT_DOUBLE_EQ(relative_weight_error(Matrix<float>(1, 2, {0, 0}), w), 1);
  EXPECT_DOUBLE_EQ(relative_weight_error(Matrix<float>(1, 2, {3, 3}), w), 0.2);
}

TEST(CodebookUsage, KnowsEntropyAndTheMostFrequent) {
  const CodebookUsage usage{"model.btc", 4, {0, 1, 2, 15}, {2, 0, 4, 2}};
  EXPECT_EQ(usage.total(), 8U);
  EXPECT_EQ(usage.unused(), 1U);
  EXPECT_DOUBLE_EQ(usage.entropy(), 1.5);
  EXPECT_THAT(usage.most_frequent(3), ElementsAre(2, 0, 3));
  EXPECT_EQ(usage.most_frequent(9).size(), 4U);
  EXPECT_EQ(signs_text(0b0011, 4), "++--");
}

/// A format, and the owner of the first codebook of a model.
struct ScopeCase {
  const char* name;
  PackedFormat format;
  std::string first_owner;
};

std::vector<ScopeCase> scope_cases() {
  using Scope = CodebookScope;
  return {
      {"Model", make_format(8, 50, Scope::kModel, 24, 2), "model.btc"},
      {"Block", make_format(8, 50, Scope::kBlock, 24, 2), "model.layers.0.btc"},
      {"Linear", make_format(8, 50, Scope::kLinear, 24, 2), "model.layers.0.self_attn.q_proj"},
      {"Panel", make_format(8, 50, Scope::kBlockGroup, 24, 2), "model.layers.0.self_attn.q_proj#0"},
      {"Sets", test::masked_format(make_format(8, 50, Scope::kModel, 24, 2)), "model.btc"},
      {"SetsOfTheirOwn", test::masked_format(make_format(8, 50, Scope::kBlockGroup, 24, 2)),
       "model.layers.0.self_attn.q_proj#0"},
      {"LinearCode", test::linear_code_format(20, 2), "linear_20_16"}};
}

std::vector<ScopeCase> row_cases() {
  std::vector<ScopeCase> cases = scope_cases();
  std::erase_if(cases, [](const ScopeCase& c) { return c.format.masked; });
  return cases;
}

class InspectionOf : public ::testing::TestWithParam<ScopeCase> {
 protected:
  InspectionOf()
      : fixture_("llama_gqa_llama3", GetParam().format, 3),
        directory_(fixture_.assemble(scratch_.path())) {
    inspect_linears(directory_, {}, inspection_);
  }
  test::Scratch scratch_{"inspection"};
  test::PackedFixture fixture_;
  PackedDirectory directory_;
  Inspection inspection_;
};

TEST_P(InspectionOf, CountsEverySubVectorOnceAndInItsOwnCodebook) {
  std::uint64_t sub_vectors = 0;
  for (const auto& block : fixture_.blocks) {
    for (const QuantizedLinear& linear : block) {
      sub_vectors += linear.index.size();
    }
  }
  ASSERT_FALSE(inspection_.codebooks.empty());
  EXPECT_EQ(inspection_.codebooks.front().owner, GetParam().first_owner);
  std::uint64_t uses = 0;
  std::map<Pattern, std::uint64_t> patterns;
  for (const CodebookUsage& book : inspection_.codebooks) {
    uses += book.total();
    for (std::size_t k = 0; k < book.counts.size(); ++k) {
      patterns[book.codewords[k]] += book.counts[k];
    }
  }
  EXPECT_EQ(uses, sub_vectors);
  std::erase_if(patterns, [](const auto& entry) { return entry.second == 0; });
  EXPECT_EQ(inspection_.patterns, patterns);
}

/// Sub-vectors of sets are no columns of a row.
class InspectionOfRows : public InspectionOf {};

TEST_P(InspectionOfRows, FindsThePatternsThatTheSignsHave) {
  // What is counted through indices and codebooks must be what the decoded signs show. The last
  // sub-vector of a row may be cut: only whole ones are compared.
  std::map<Pattern, std::uint64_t> seen;
  const int v = GetParam().format.vector_length;
  for (const auto& block : fixture_.blocks) {
    for (const QuantizedLinear& linear : block) {
      for (std::size_t i = 0; i < linear.rows; ++i) {
        for (std::size_t s = 0; (s + 1) * static_cast<std::size_t>(v) <= linear.cols; ++s) {
          ++seen[linear.signs.pattern(i, s * static_cast<std::size_t>(v), v)];
        }
      }
    }
  }
  for (const auto& [pattern, count] : seen) {
    ASSERT_GE(inspection_.patterns[pattern], count) << signs_text(pattern, v);
  }
}

TEST_P(InspectionOf, HasOneEntryPerLinear) {
  ASSERT_EQ(inspection_.linears.size(), fixture_.blocks.size() * kLinearKinds.size());
  const LinearStatistics& last = inspection_.linears.back();
  EXPECT_EQ(last.block, directory_.config().blocks - 1);
  EXPECT_EQ(last.kind, LinearKind::kDown);
  EXPECT_DOUBLE_EQ(last.salient_share, 3.0 / static_cast<double>(last.cols));
}

INSTANTIATE_TEST_SUITE_P(Scopes, InspectionOf, ::testing::ValuesIn(scope_cases()),
                         [](const auto& c) { return std::string(c.param.name); });
INSTANTIATE_TEST_SUITE_P(Scopes, InspectionOfRows, ::testing::ValuesIn(row_cases()),
                         [](const auto& c) { return std::string(c.param.name); });

class WholeInspection : public ::testing::Test {
 protected:
  WholeInspection()
      : fixture_("qwen3", test::model_scope_format(), 3),
        path_(fixture_.assemble(scratch_.path())) {
    const PackedDirectory directory(path_);
    inspection_.report = inspect_model(path_);
    inspection_.tensors = stored_tensors(directory);
    inspect_linears(
        directory, [&](int block) { return fixture_.checkpoint->load_block(block); }, inspection_);
    inspection_.notes = {{1, "encode", "block-00000", "relative error mean 0.5, worst 0.6 (o)"}};
    inspection_.tokens = 8;
    inspection_.inputs =
        activation_statistics(load_packed(PackedModel::open(path_)), Workers(1), 8, 0);
  }
  test::Scratch scratch_{"whole-inspection"};
  test::PackedFixture fixture_;
  std::filesystem::path path_;
  Inspection inspection_;
};

TEST_F(WholeInspection, ListsTensorsWhoseBytesAreTheLedgerWithoutHeaders) {
  std::uint64_t bytes = 0;
  for (const StoredTensor& tensor : inspection_.tensors) {
    bytes += tensor.bytes;
  }
  std::uint64_t headers = 0;
  for (const LedgerLine& line : inspection_.report.ledger) {
    headers += line.category == "container" ? line.bytes : 0;
  }
  EXPECT_EQ(bytes + headers, total_bytes(inspection_.report.ledger));
}

TEST_F(WholeInspection, MeasuresTheErrorAgainstTheOriginal) {
  const BlockWeights original = fixture_.checkpoint->load_block(0);
  const Matrix<float> q = dequantize(fixture_.blocks[0][0]);
  EXPECT_DOUBLE_EQ(inspection_.linears[0].relative_error.value(),
                   relative_weight_error(q, original.linear[0]));
  EXPECT_GT(*inspection_.linears[0].relative_error, 0.1);
}

TEST_F(WholeInspection, IsCompleteAsJson) {
  const json object = json::parse(inspection_json(inspection_));
  EXPECT_EQ(object.at("files").size(), inspection_.report.files.size());
  EXPECT_EQ(object.at("ledger").at("total"), total_bytes(inspection_.report.ledger));
  EXPECT_EQ(object.at("ledger").at("lines").size(), inspection_.report.ledger.size());
  EXPECT_DOUBLE_EQ(object.at("bits").at("stored"), inspection_.report.bits.stored);
  EXPECT_EQ(object.at("tensors").size(), inspection_.tensors.size());
  EXPECT_EQ(object.at("tensors").at(0).at("shape").get<std::vector<std::int64_t>>(),
            inspection_.tensors[0].shape);
  EXPECT_EQ(object.at("linears").size(), inspection_.linears.size());
  EXPECT_EQ(object.at("linears").at(0).at("group_shares").size(), 3U);
  const json& book = object.at("codebooks").at(0);
  EXPECT_EQ(book.at("histogram").size(), 300U);
  EXPECT_EQ(book.at("top").at(0).at("signs").get<std::string>().size(), 12U);
  EXPECT_EQ(object.at("run").at(0).at("note"), inspection_.notes[0].note);
  EXPECT_EQ(object.at("activations").at("inputs").size(), inspection_.inputs.size());
}

TEST_F(WholeInspection, ShowsEveryPartToPeople) {
  const std::string text = inspection_text(inspection_);
  EXPECT_THAT(text,
              AllOf(HasSubstr("\ntensors\n"), HasSubstr("      layers\n"), HasSubstr("indices"),
                    HasSubstr("what the run recorded"), HasSubstr("block 0   q_proj"),
                    HasSubstr("model.btc: 300 codewords"), HasSubstr("kurtosis")));
  EXPECT_EQ(inspection_text(Inspection{}), "");
}

TEST_F(WholeInspection, PlotsWhatItHas) {
  std::map<std::string, std::string> files;
  for (const PlotFile& file : inspection_plots(inspection_)) {
    files[file.name] = file.text;
    EXPECT_EQ(file.name.ends_with(".svg"), file.text.starts_with("<svg")) << file.name;
    EXPECT_THAT(file.text, Not(HasSubstr("nan")));
  }
  std::vector<std::string> names;
  for (const auto& [name, text] : files) {
    names.push_back(name);
  }
  EXPECT_THAT(names,
              ElementsAre("activations-down.svg", "activations-gate_up.svg", "activations-o.svg",
                          "activations-qkv.svg", "activations.csv", "patterns.csv", "patterns.svg",
                          "weight_error.csv", "weight_error.svg"));
  const auto lines =
      std::count(files["weight_error.csv"].begin(), files["weight_error.csv"].end(), '\n');
  EXPECT_EQ(static_cast<std::size_t>(lines), 1 + inspection_.linears.size());
  const auto patterns =
      std::count(files["patterns.csv"].begin(), files["patterns.csv"].end(), '\n');
  EXPECT_EQ(static_cast<std::size_t>(patterns), 1 + inspection_.patterns.size());
  EXPECT_TRUE(inspection_plots(Inspection{}).empty());
}

}  // namespace
}  // namespace btc
