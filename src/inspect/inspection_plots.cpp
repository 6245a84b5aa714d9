#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "inspect/inspection.hpp"
#include "report/line_plot.hpp"

namespace btc {
namespace {

/// log10 of the share of entries in each bin; a bin without entries is left out.
PlotLine density(const std::string& name, const InputDistribution& inputs) {
  PlotLine line{name, {}};
  for (std::size_t bin = 0; bin < InputDistribution::kBins; ++bin) {
    if (inputs.bins[bin] > 0) {
      const double share =
          static_cast<double>(inputs.bins[bin]) / static_cast<double>(inputs.count);
      line.points.emplace_back((static_cast<double>(bin) + 0.5) * InputDistribution::kBinWidth,
                               std::log10(share));
    }
  }
  return line;
}

void merge(const InputDistribution& part, InputDistribution& sum) {
  for (std::size_t bin = 0; bin < InputDistribution::kBins; ++bin) {
    sum.bins[bin] += part.bins[bin];
  }
  sum.count += part.count;
}

/// One picture per input, over all blocks.
void plot_activations(const Inspection& inspection, std::vector<PlotFile>& files) {
  std::string csv = "block,input,transform,from,to,count\n";
  for (const InputStatistics& input : inspection.inputs) {
    for (const auto& [name, part] :
         {std::pair{"before", &input.before}, std::pair{"after", &input.after}}) {
      for (std::size_t bin = 0; bin < InputDistribution::kBins; ++bin) {
        const double low = static_cast<double>(bin) * InputDistribution::kBinWidth;
        const bool last = bin + 1 == InputDistribution::kBins;
        csv += fmt::format("{},{},{},{},{},{}\n", input.block, name_of(input.input), name, low,
                           last ? std::string() : fmt::format("{}", low + part->kBinWidth),
                           part->bins[bin]);
      }
    }
  }
  files.push_back({"activations.csv", csv});
  for (const SharedInput kind : kSharedInputs) {
    InputDistribution before;
    InputDistribution after;
    for (const InputStatistics& input : inspection.inputs) {
      if (input.input == kind) {
        merge(input.before, before);
        merge(input.after, after);
      }
    }
    if (before.count > 0) {
      files.push_back({fmt::format("activations-{}.svg", name_of(kind)),
                       lines_svg({fmt::format("Input of {}, all blocks, {} tokens", name_of(kind),
                                              inspection.tokens),
                                  "|x| / root mean square of its token",
                                  "log10 of the share of entries",
                                  {density("before the transform", before),
                                   density("after the transform", after)}})});
    }
  }
}

void plot_errors(const Inspection& inspection, std::vector<PlotFile>& files) {
  std::vector<PlotLine> lines;
  std::string csv = "block,linear,relative_error\n";
  for (const LinearKind kind : kLinearKinds) {
    PlotLine line{std::string(name_of(kind)), {}};
    for (const LinearStatistics& linear : inspection.linears) {
      if (linear.kind == kind && linear.relative_error) {
        line.points.emplace_back(linear.block, *linear.relative_error);
        csv += fmt::format("{},{},{}\n", linear.block, line.name, *linear.relative_error);
      }
    }
    if (!line.points.empty()) {
      lines.push_back(std::move(line));
    }
  }
  if (!lines.empty()) {
    files.push_back({"weight_error.csv", csv});
    files.push_back({"weight_error.svg", lines_svg({"Relative error of the weights, |Q - W| / |W|",
                                                    "block", "relative error", lines})});
  }
}

void plot_patterns(const Inspection& inspection, std::vector<PlotFile>& files) {
  std::vector<std::pair<Pattern, std::uint64_t>> ranked(inspection.patterns.begin(),
                                                        inspection.patterns.end());
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string csv = "signs,count\n";
  PlotLine line{"sub-vectors of the packed model", {}};
  double plotted = -1;
  for (std::size_t rank = 0; rank < ranked.size(); ++rank) {
    csv += fmt::format("{},{}\n", signs_text(ranked[rank].first, inspection.vector_length),
                       ranked[rank].second);
    constexpr double kStep = 0.005;  // finer than a pixel
    const double x = std::log10(static_cast<double>(rank + 1));
    if (x >= plotted + kStep || rank + 1 == ranked.size()) {
      line.points.emplace_back(x, std::log10(static_cast<double>(ranked[rank].second)));
      plotted = x;
    }
  }
  if (!ranked.empty()) {
    files.push_back({"patterns.csv", csv});
    files.push_back(
        {"patterns.svg",
         lines_svg({fmt::format("{} patterns of {} signs", ranked.size(), inspection.vector_length),
                    "log10 of the rank",
                    "log10 of the number of uses",
                    {line}})});
  }
}

}  // namespace

std::vector<PlotFile> inspection_plots(const Inspection& inspection) {
  std::vector<PlotFile> files;
  if (!inspection.inputs.empty()) {
    plot_activations(inspection, files);
  }
  plot_errors(inspection, files);
  plot_patterns(inspection, files);
  return files;
}

}  // namespace btc
