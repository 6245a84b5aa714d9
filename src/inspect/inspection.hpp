#pragma once
/// Everything that `btc inspect` knows about a packed model, and its forms as text, JSON and plots.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "inspect/activation_statistics.hpp"
#include "inspect/codebook_usage.hpp"
#include "inspect/linear_statistics.hpp"
#include "pack/packed_model.hpp"
#include "report/run_note.hpp"

namespace btc {

struct StoredTensor {
  std::string file;
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t bytes = 0;
};

/// Parts that nobody asked for stay empty.
struct Inspection {
  ModelReport report;
  std::vector<StoredTensor> tensors;      ///< by shard, then name
  std::vector<LinearStatistics> linears;  ///< by block, then Linear
  std::vector<CodebookUsage> codebooks;
  int vector_length = 0;                      ///< of `patterns`
  std::map<Pattern, std::uint64_t> patterns;  ///< sub-vectors of signs, how often each occurs
  std::vector<RunNote> notes;
  std::vector<InputStatistics> inputs;
  std::size_t tokens = 0;  ///< that `inputs` were taken from
};

std::vector<StoredTensor> stored_tensors(const PackedDirectory& directory);

/// The weights that the packed ones of a block stand for.
using OriginalBlock = std::function<BlockWeights(int block)>;
/// Fills `linears`, `codebooks` and `patterns`; without codec the patterns are those of 16 columns,
/// and there is none without signs.
/// @param original may be empty; then there are no errors
void inspect_linears(const PackedDirectory& directory, const OriginalBlock& original,
                     Inspection& inspection);

/// Sections for people, each with a heading; parts that are empty are left out.
std::string inspection_text(const Inspection& inspection);
/// One JSON object with every part.
std::string inspection_json(const Inspection& inspection);

/// A picture or its data.
struct PlotFile {
  std::string name;
  std::string text;
};
/// `activations-INPUT.svg`, `weight_error.svg`, `patterns.svg` and a CSV file for each of the
/// three; those whose part is empty are left out.
std::vector<PlotFile> inspection_plots(const Inspection& inspection);

}  // namespace btc
