#include "quant/quantize_linear.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>

#include "common/allocation.hpp"
#include "common/half.hpp"
#include "common/int8_scales.hpp"
#include "quant/given.hpp"
#include "quant/panel_result.hpp"
#include "quant/row_blocks.hpp"
#include "quant/row_scales.hpp"
#include "quant/saliency.hpp"
#include "quant/sign_sets.hpp"
#include "quant/split_points.hpp"
#include "quant/uniform.hpp"

namespace btc {
namespace {

/// Settings of one call.
struct Settings {
  const HessianFactor& factor;
  const BinarizeParams& binarize;
  const std::optional<CodebookParams>& codebook;
  const LinearCodewords& codewords;
  const std::optional<std::vector<std::uint32_t>>& salient;
  Backend& backend;

  [[nodiscard]] RowBlocks rows() const { return RowBlocks(backend); }
  [[nodiscard]] bool encodes() const {
    return codewords.all != nullptr || !codewords.of_panel.empty();
  }

  [[nodiscard]] bool whole_row() const { return binarize.scales != ScaleLayout::kPanel; }
  [[nodiscard]] bool given() const { return binarize.scales == ScaleLayout::kGiven; }
  /// Columns decided together: the vector length, or single columns where signs stay free.
  [[nodiscard]] std::size_t chunk() const {
    return codebook ? static_cast<std::size_t>(codebook->vector_length) : 1;
  }
  [[nodiscard]] bool after_loop() const {
    return encodes() && codebook->encode == EncodeMode::kPost;
  }
  /// Whether salient columns or groups are found by the saliency metric.
  [[nodiscard]] bool needs_metric() const {
    const bool search = !salient && binarize.salient != SalientRule::kNone;
    return search || !groups_by_magnitude(binarize);
  }
  /// S of the panel's inputs, or nothing.
  [[nodiscard]] MatrixView<const float> gram(Panel panel) const {
    return factor.gram.empty() ? MatrixView<const float>()
                               : factor.gram.view().sub(panel.begin, panel.end, 0, panel.width());
  }
  void round(Panel panel, PanelScales& scales) const {
    if (binarize.rounding == ScaleRounding::kPanel) {
      round_scales(panel, scales);
    }
  }
  [[nodiscard]] bool refit() const { return encodes() && codebook->refit; }
  /// Whether the weights that signs were decided on are read once all panels are done.
  [[nodiscard]] bool keeps_targets() const { return after_loop() || (refit() && whole_row()); }
};

/// The codewords of one panel, or with layout masked of one set of one.
class PanelCodewords {
 public:
  /// @param number counts the panels, or sets, of the Linear
  PanelCodewords(const Settings& settings, std::size_t number) : search_(settings.codewords.all) {
    if (!settings.codewords.of_panel.empty()) {
      const Codebook& codebook = settings.codewords.of_panel[number];
      own_ = settings.backend.open_codewords(codebook.codewords, codebook.vector_length);
      search_ = own_.get();
    }
  }
  /// Null: free signs.
  [[nodiscard]] const CodewordSearch* search() const { return search_; }

 private:
  std::unique_ptr<CodewordSearch> own_;
  const CodewordSearch* search_;
};

/// Whole-row scales and what the panels take from them.
struct RowPlan {
  std::vector<PanelGroups> groups;  // of each panel
  Matrix<float> thresholds;         // [n, s] on |w|, or empty
  RowScales scales;                 // fp16 values
};

void check_finite(MatrixView<const float> weight, std::size_t i) {
  const auto row = weight.row(i);
  const auto bad =
      std::find_if_not(row.begin(), row.end(), [](float w) { return std::isfinite(w); });
  BTC_REQUIRE(NumericError, bad == row.end(), "weight (", i, ", ", bad - row.begin(), ") is ", *bad,
              ", expected a finite number");
}

/// @param keep_dead columns that no input reaches keep their weights (their signs are given)
Matrix<float> checked_copy(MatrixView<const float> weight, const HessianFactor& factor,
                           bool keep_dead, const RowBlocks& rows) {
  BTC_CHECK(weight.cols() == factor.u.cols(), "W has ", weight.cols(), " columns, U ",
            factor.u.cols());
  BTC_REQUIRE(InputError, weight.rows() > 0 && weight.cols() > 0, "weight is [", weight.rows(),
              ", ", weight.cols(), "], expected at least one row and column");
  auto w = zeros_in_large_pages<float>(weight.rows(), weight.cols());
  rows(w.rows(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      check_finite(weight, i);
      std::copy(weight.row(i).begin(), weight.row(i).end(), w.row(i).begin());
      for (std::size_t d = 0; !keep_dead && d < factor.dead_columns.size(); ++d) {
        w(i, factor.dead_columns[d]) = 0;
      }
    }
  });
  return w;
}

/// Takes the column means out of weights that are binary already: what is left is alpha_col * B.
void centre(const std::vector<float>& mu_col, Matrix<float>& w) {
  for (std::size_t i = 0; i < w.rows(); ++i) {
    for (std::size_t j = 0; j < w.cols(); ++j) {
      w(i, j) -= mu_col[j];
    }
  }
}

std::vector<Panel> cut_panels(std::size_t cols, std::size_t width) {
  std::vector<Panel> panels;
  for (std::size_t begin = 0; begin < cols; begin += width) {
    panels.push_back({begin, std::min(begin + width, cols)});
  }
  return panels;
}

std::vector<std::uint32_t> salient_of(ArbSession& session, Panel panel, const Matrix<float>& metric,
                                      const Settings& settings) {
  if (!settings.salient) {
    return find_salient_columns(session, panel, metric, settings.binarize);
  }
  std::vector<std::uint32_t> columns;
  for (const std::uint32_t j : *settings.salient) {
    if (j >= panel.begin && j < panel.end) {
      columns.push_back(narrow<std::uint32_t>(j - panel.begin));
    }
  }
  return columns;
}

/// Salient columns of a panel, and its groups where they are found by the metric.
PanelGroups metric_groups(ArbSession& session, Panel panel, const Matrix<float>& w,
                          const Settings& settings) {
  const Matrix<float> metric =
      settings.needs_metric()
          ? saliency_metric(w.view(), panel, settings.factor.u.view(), settings.rows())
          : Matrix<float>();
  PanelGroups groups = ungrouped(w.rows(), w.cols(), salient_of(session, panel, metric, settings));
  groups.count = static_cast<std::size_t>(settings.binarize.split_points) + 1;
  if (!groups_by_magnitude(settings.binarize)) {
    split_by_metric(session, panel, metric, settings.binarize, groups, settings.gram(panel));
  }
  return groups;
}

std::vector<float> importance(const HessianFactor& factor) {
  std::vector<float> h(factor.u.cols());
  for (std::size_t j = 0; j < h.size(); ++j) {
    h[j] = 1.0F / (factor.u(j, j) * factor.u(j, j));
  }
  return h;
}

void round_row_scales(std::size_t cols, const Settings& settings, RowScales& scales) {
  PanelScales values{std::move(scales.alpha),     {}, std::move(scales.salient_alpha), {},
                     std::move(scales.alpha_col), {}};
  settings.round({0, cols}, values);
  scales.alpha = std::move(values.alpha);
  scales.salient_alpha = std::move(values.salient_alpha);
  scales.alpha_col = std::move(values.alpha_col);
}

/// Rounds the scale that the groups of a row share, and the column scales, to 8 bits.
void round_shared_to_int8(RowScales& scales) {
  std::vector<float> shared(scales.alpha.rows());
  for (std::size_t i = 0; i < shared.size(); ++i) {
    shared[i] = scales.alpha(i, 0);
  }
  round_to_int8(shared);
  for (std::size_t i = 0; i < shared.size(); ++i) {
    scales.alpha(i, 0) = shared[i];
  }
  round_to_int8(scales.alpha_col);
}

/// The scales of a fit as they will be stored.
void store_row_scales(const RowProblem& problem, const Settings& settings, RowScales& scales) {
  const bool shared = shares_group_ratio(settings.binarize.scales);
  if (shared) {
    share_group_ratio(problem, scales);
  }
  round_row_scales(problem.target.cols(), settings, scales);
  if (settings.binarize.scales == ScaleLayout::kRowRatioI8) {
    round_shared_to_int8(scales);
  }
  for (std::size_t g = 1; shared && g < problem.groups; ++g) {
    scales.group_ratio[g] = round_to_fp16(scales.group_ratio[g]);
    for (std::size_t i = 0; i < scales.alpha.rows(); ++i) {
      scales.alpha(i, g) = scales.alpha(i, 0) * scales.group_ratio[g];
    }
  }
}

RowPlan plan_rows(ArbSession& session, const Matrix<float>& w, const std::vector<Panel>& panels,
                  const Settings& settings) {
  RowPlan plan;
  Matrix<std::uint8_t> group(w.rows(), w.cols());
  for (const Panel panel : panels) {
    plan.groups.push_back(metric_groups(session, panel, session.weights(panel), settings));
    for (std::size_t i = 0; i < w.rows(); ++i) {
      const auto row = plan.groups.back().group.row(i);
      std::copy(row.begin(), row.end(),
                group.row(i).begin() + static_cast<std::ptrdiff_t>(panel.begin));
    }
  }
  if (groups_by_magnitude(settings.binarize)) {
    plan.thresholds =
        magnitude_thresholds(w.view(), group.view(), settings.binarize, settings.rows());
    group_by_thresholds(w.view(), plan.thresholds.view(), group.view(), settings.rows());
  }
  const std::vector<float> h = importance(settings.factor);
  const RowProblem problem{w.view(), group.view(), plan.groups.front().count, h};
  plan.scales = fit_row_scales(problem, settings.binarize.iterations);
  store_row_scales(problem, settings, plan.scales);
  return plan;
}

/// Rows of scale 1 and the given column scales.
RowPlan plan_given(std::size_t rows, const std::vector<Panel>& panels,
                   const std::vector<float>& alpha_col) {
  RowPlan plan;
  for (const Panel panel : panels) {
    plan.groups.push_back(ungrouped(rows, panel.width(), {}));
  }
  plan.thresholds = Matrix<float>(rows, 0);
  plan.scales.alpha = Matrix<float>(rows, 1, 1.0F);
  plan.scales.alpha_col = alpha_col;
  return plan;
}

/// The part of whole-row scales that a panel decodes with.
PanelScales scales_of(const RowScales& rows, Panel panel) {
  PanelScales scales;
  scales.alpha = rows.alpha;
  scales.salient_alpha = rows.salient_alpha;
  const auto begin = rows.alpha_col.begin();
  scales.alpha_col.assign(begin + static_cast<std::ptrdiff_t>(panel.begin),
                          begin + static_cast<std::ptrdiff_t>(panel.end));
  return scales;
}

/// How groups follow the weights while encoding. Where errors are pushed from column to column the
/// nearest value is best; without that, groups cut at the thresholds that the scales were fitted to
/// leave errors that cancel in the sum. A sparse upper group keeps its share by thresholds.
Grouping grouping_of(const BinarizeParams& binarize) {
  if (!groups_by_magnitude(binarize)) {
    return Grouping::kGiven;
  }
  const bool nearest = binarize.split_rule == SplitRule::kMagnitude &&
                       binarize.compensation == Compensation::kSequential;
  return nearest ? Grouping::kNearest : Grouping::kThresholds;
}

/// @param codewords null: free signs
EncodeRule loop_rule(const Settings& settings, const Matrix<float>& thresholds,
                     const CodewordSearch* codewords) {
  EncodeRule rule;
  rule.chunk = settings.chunk();
  rule.compensation = settings.binarize.compensation;
  rule.codewords = settings.after_loop() ? nullptr : codewords;
  rule.assignment = settings.codebook ? settings.codebook->assignment : Assignment::kWeighted;
  rule.grouping = grouping_of(settings.binarize);
  rule.group_thresholds = thresholds.view();
  rule.keep_target = settings.keeps_targets();
  return rule;
}

void refit_panel(ArbSession& session, const Settings& settings, PanelResult& result) {
  result.scales = session.refit(result.panel, result.groups, result.scales, result.code);
  settings.round(result.panel, result.scales);
}

/// Groups and scales of a panel by its own weights, and the rule's signs if it has its own.
void fit_panel(ArbSession& session, const Settings& settings, PanelResult& result) {
  const BinarizeParams& binarize = settings.binarize;
  const Matrix<float> w = session.weights(result.panel);
  result.groups = metric_groups(session, result.panel, w, settings);
  if (groups_by_magnitude(binarize)) {
    result.thresholds =
        magnitude_thresholds(w.view(), result.groups.group.view(), binarize, settings.rows());
    group_by_thresholds(w.view(), result.thresholds.view(), result.groups.group.view(),
                        settings.rows());
  }
  PanelFit fit = session.fit_weights(
      result.panel, result.groups,
      {binarize.method, binarize.iterations, binarize.solver, settings.gram(result.panel)});
  result.scales = std::move(fit.scales);
  result.code = std::move(fit.code);
  settings.round(result.panel, result.scales);
}

/// Groups, scales and signs of one panel, from the session's current weights.
PanelResult binarize_panel(ArbSession& session, Panel panel, std::size_t number,
                           const RowPlan* plan, const Settings& settings) {
  PanelResult result;
  result.panel = panel;
  if (plan != nullptr) {
    result.groups = plan->groups[number];
    result.scales = scales_of(plan->scales, panel);
    result.thresholds = plan->thresholds;
    if (settings.binarize.split_rule == SplitRule::kFraction &&
        groups_by_magnitude(settings.binarize)) {
      restore_shares(session.weights(panel).view(), result.groups.group.view(), settings.binarize,
                     result.thresholds.view());
    }
  } else {
    fit_panel(session, settings, result);
  }
  const PanelCodewords codewords(settings, number);
  const EncodeRule rule = loop_rule(settings, result.thresholds, codewords.search());
  // Signs of the fit's own hold while they are free and the weights stay what they were.
  if (result.code.group.empty() || rule.codewords != nullptr ||
      rule.compensation == Compensation::kSequential) {
    result.code = session.encode(panel, result.groups, result.scales, rule);
  }
  if (settings.refit() && !settings.after_loop() && plan == nullptr) {
    refit_panel(session, settings, result);
  }
  return result;
}

/// Replaces the signs of each set by the nearest codewords. @see BTC-LLM Alg. 1, 2
void encode_sets(std::vector<PanelResult>& panels, const Settings& settings) {
  const int v = settings.codebook->vector_length;
  const SignGroups groups = sign_groups(settings.binarize);
  std::size_t number = 0;
  for (PanelResult& result : panels) {
    PanelCode& code = result.code;
    for (const SignSet& set : sign_sets(code.group, groups)) {
      const PanelCodewords codewords(settings, number++);
      BitMatrix& plane = set.second ? code.residual : code.signs;
      std::vector<Pattern> vectors = set_vectors(set, plane, 0, v);
      std::vector<std::uint32_t> index(vectors.size());
      codewords.search()->nearest(vectors, index);
      std::transform(index.begin(), index.end(), vectors.begin(),
                     [&](std::uint32_t k) { return codewords.search()->codewords()[k]; });
      put_vectors(set, vectors, 0, v, plane);
      result.set_index.insert(result.set_index.end(), index.begin(), index.end());
    }
  }
}

/// Replaces free signs by codewords, on the targets that the loop left.
void encode_after_loop(std::vector<PanelResult>& panels, const Matrix<float>& targets,
                       const Settings& settings) {
  const auto session = settings.backend.open_arb(targets.view(), settings.factor.u.view());
  EncodeRule rule;
  rule.chunk = settings.chunk();
  rule.compensation = Compensation::kNone;
  rule.assignment = settings.codebook->assignment;
  rule.keep_target = false;
  for (std::size_t number = 0; number < panels.size(); ++number) {
    PanelResult& result = panels[number];
    const PanelCodewords codewords(settings, number);
    rule.codewords = codewords.search();
    result.groups.group = result.code.group;
    rule.grouping = grouping_of(settings.binarize);
    rule.group_thresholds = result.thresholds.view();
    result.code = session->encode(result.panel, result.groups, result.scales, rule);
  }
}

/// Least-squares whole-row scales for the signs of all panels.
RowScales refit_rows(std::vector<PanelResult>& panels, const Matrix<float>& targets,
                     const Settings& settings) {
  const QuantizedLinear linear = assemble(panels, targets.rows(), targets.cols(), 0, true);
  Matrix<std::uint8_t> group(targets.rows(), targets.cols());
  for (const PanelResult& result : panels) {
    for (std::size_t i = 0; i < targets.rows(); ++i) {
      const auto row = result.code.group.row(i);
      std::copy(row.begin(), row.end(),
                group.row(i).begin() + static_cast<std::ptrdiff_t>(result.panel.begin));
    }
  }
  const std::vector<float> h = importance(settings.factor);
  const RowProblem problem{targets.view(), group.view(), linear.groups, h};
  RowScales scales =
      refit_row_scales(problem, linear.signs, linear.residual, settings.binarize.iterations);
  store_row_scales(problem, settings, scales);
  for (PanelResult& result : panels) {
    result.scales = scales_of(scales, result.panel);
  }
  return scales;
}

/// Stores the scales of the groups as the products they are.
void keep_ratio(const RowScales& scales, QuantizedLinear& linear) {
  linear.group_ratio = scales.group_ratio;
  Matrix<float> first(linear.rows, 1);
  for (std::size_t i = 0; i < linear.rows; ++i) {
    first(i, 0) = linear.alpha(i, 0);
  }
  linear.alpha = std::move(first);
}

std::vector<double> group_shares(const std::vector<PanelResult>& panels, const RowBlocks& blocks) {
  const std::size_t groups = panels.front().groups.count;
  Matrix<double> counts(panels.size(), groups);
  blocks.each(panels.size(), [&](std::size_t p) {
    const std::vector<std::uint8_t>& all = panels[p].code.group.values();
    for (std::size_t g = 0; g < groups; ++g) {
      const auto count = std::count(all.begin(), all.end(), static_cast<std::uint8_t>(g));
      counts(p, g) = static_cast<double>(count);
    }
  });
  std::vector<double> share(groups, 0.0);
  for (std::size_t p = 0; p < counts.rows(); ++p) {
    for (std::size_t g = 0; g < groups; ++g) {
      share[g] += counts(p, g);
    }
  }
  const double total = std::accumulate(share.begin(), share.end(), 0.0);
  for (double& value : share) {
    value = total > 0 ? value / total : 0;
  }
  return share;
}

Matrix<float> dequantized(const PanelResult& panel, const RowBlocks& rows) {
  Matrix<float> q(panel.code.signs.rows(), panel.code.signs.cols());
  rows(q.rows(), [&](std::size_t begin, std::size_t end) {
    dequantize_rows(panel.scales, panel.groups, panel.code, begin, end, q.view());
  });
  return q;
}

double undamped(double damped, const Matrix<float>& e, const Settings& settings) {
  return undamped_energy(damped, e.view(), settings.factor, settings.rows());
}

/// @param energy tr(W H W^T)
/// @param q [n, m], used up
double relative_error(const ArbSession& session, const Matrix<float>& w, double energy,
                      Matrix<float> q, const Settings& settings) {
  Matrix<float>& error = q;
  settings.rows()(q.rows(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t e = begin * q.cols(); e < end * q.cols(); ++e) {
      error.values()[e] = w.values()[e] - error.values()[e];
    }
  });
  const double lost = undamped(session.energy(error.view()), error, settings);
  return energy > 0 ? lost / energy : 0;
}

/// Scales and signs of all panels; the error is left to the caller.
/// @param w without the given column means; @param energy tr(W H W^T) of these
void quantize_signs(ArbSession& session, const Matrix<float>& w, double energy,
                    const std::optional<GivenScales>& given, const Settings& settings,
                    QuantizeResult& result) {
  const std::vector<Panel> panels =
      cut_panels(w.cols(), panel_width(settings.binarize, settings.codebook));
  std::optional<RowPlan> plan;
  if (given) {
    plan = plan_given(w.rows(), panels, given->alpha_col);
  } else if (settings.whole_row()) {
    plan = plan_rows(session, w, panels, settings);
  }
  std::vector<PanelResult> results;
  for (std::size_t p = 0; p < panels.size(); ++p) {
    results.push_back(binarize_panel(session, panels[p], p, plan ? &*plan : nullptr, settings));
    const Matrix<float> q = dequantized(results.back(), settings.rows());
    session.compensate(panels[p], q.view(), settings.binarize.compensation);
  }
  if (settings.after_loop() || (settings.refit() && plan)) {
    const Matrix<float> targets = assemble_targets(results, w.rows(), w.cols());
    if (settings.after_loop() && is_masked(settings.codebook)) {
      encode_sets(results, settings);
    } else if (settings.after_loop()) {
      encode_after_loop(results, targets, settings);
    }
    if (settings.refit() && plan) {
      plan->scales = refit_rows(results, targets, settings);
    } else if (settings.refit()) {
      std::for_each(results.begin(), results.end(),
                    [&](PanelResult& panel) { refit_panel(session, settings, panel); });
    }
  }
  const int length = settings.encodes() ? settings.codebook->vector_length : 0;
  const auto assembled = [&] {
    return assemble(results, w.rows(), w.cols(), length, settings.whole_row());
  };
  if (settings.binarize.rounding == ScaleRounding::kEnd) {
    result.fitted = dequantize(assembled(), settings.rows());
    result.fitted_error = relative_error(session, w, energy, result.fitted, settings);
    for (PanelResult& panel : results) {
      round_scales(panel.panel, panel.scales);
    }
  }
  result.linear = assembled();
  if (shares_group_ratio(settings.binarize.scales)) {
    keep_ratio(plan->scales, result.linear);
    result.linear.int8_scales = settings.binarize.scales == ScaleLayout::kRowRatioI8;
  }
  result.group_share = group_shares(results, settings.rows());
}

void check_codewords(const LinearCodewords& codewords,
                     const std::optional<CodebookParams>& codebook, std::size_t cols,
                     const BinarizeParams& binarize) {
  const auto fits = [&](int length) { return codebook && length == codebook->vector_length; };
  BTC_CHECK(codewords.all == nullptr || fits(codewords.all->vector_length()),
            "codewords do not fit the codebook's vector length");
  if (codewords.of_panel.empty()) {
    return;
  }
  BTC_CHECK(fits(codewords.of_panel.front().vector_length) &&
                codewords.of_panel.size() == codebooks_of_linear(cols, binarize, *codebook),
            codewords.of_panel.size(), " codebooks do not fit the panels of ", cols, " columns");
}

}  // namespace

QuantizeResult quantize_linear(MatrixView<const float> weight, const HessianFactor& factor,
                               const BinarizeParams& binarize,
                               const std::optional<CodebookParams>& codebook,
                               const LinearCodewords& codewords,
                               const std::optional<std::vector<std::uint32_t>>& salient,
                               Backend& backend) {
  check_params(binarize, codebook);
  check_codewords(codewords, codebook, weight.cols(), binarize);
  const Settings settings{factor, binarize, codebook, codewords, salient, backend};
  const Matrix<float> w = checked_copy(weight, factor, settings.given(), settings.rows());
  Matrix<float> without_means;
  std::optional<GivenScales> given;
  if (settings.given()) {
    given = given_scales(w.view());
    without_means = w;
    centre(given->mu_col, without_means);
  }
  const Matrix<float>& centred = given ? without_means : w;
  const auto session = backend.open_arb(centred.view(), factor.u.view());
  // Before the panels change the session's weights.
  const double energy = undamped(session->energy_of_weights(), centred, settings);
  QuantizeResult result;
  if (binarize.uniform != UniformRule::kNone) {
    result.linear = quantize_uniform(*session, w.rows(), factor, binarize);
    result.group_share = {1.0};
  } else {
    quantize_signs(*session, centred, energy, given, settings, result);
  }
  if (given) {
    result.linear.mu_col = given->mu_col;
  }
  const double whole = given ? undamped(session->energy(w.view()), w, settings) : energy;
  result.relative_error =
      relative_error(*session, w, whole, dequantize(result.linear, settings.rows()), settings);
  return result;
}

std::vector<PatternHistogram> codebook_histograms(const QuantizedLinear& linear,
                                                  const BinarizeParams& binarize,
                                                  const CodebookParams& codebook) {
  if (codebook.layout == CodebookLayout::kMasked) {
    auto histograms = set_histograms(linear, sign_groups(binarize), codebook.vector_length);
    return codebook.scope == CodebookScope::kBlockGroup
               ? histograms
               : std::vector<PatternHistogram>{merge_histograms(histograms)};
  }
  if (codebook.scope == CodebookScope::kBlockGroup) {
    return panel_histograms(linear.signs, codebook.vector_length, panel_width(binarize, codebook));
  }
  return {pattern_histogram(linear.signs, codebook.vector_length)};
}

}  // namespace btc
