#include "inspect/inspection.hpp"

#include <algorithm>

namespace btc {
namespace {

/// Length of the sub-vectors that signs without codec are looked at in.
constexpr int kFreeLength = 16;

/// Sub-vectors of free signs.
void count_free_patterns(const QuantizedLinear& linear, Inspection& inspection) {
  const PatternHistogram histogram = pattern_histogram(linear.signs, kFreeLength);
  for (std::size_t k = 0; k < histogram.patterns.size(); ++k) {
    inspection.patterns[histogram.patterns[k]] += histogram.counts[k];
  }
}

}  // namespace

std::vector<StoredTensor> stored_tensors(const PackedDirectory& directory) {
  std::vector<StoredTensor> tensors;
  for (const SafetensorsFile& shard : directory.shards()) {
    const std::size_t first = tensors.size();
    for (const TensorView& tensor : shard.tensors()) {
      tensors.push_back({shard.path().filename().string(), tensor.name,
                         std::string(name_of(tensor.dtype)), tensor.shape, tensor.bytes.size()});
    }
    std::sort(tensors.begin() + static_cast<std::ptrdiff_t>(first), tensors.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
  }
  return tensors;
}

void inspect_linears(const PackedDirectory& directory, const OriginalBlock& original,
                     Inspection& inspection) {
  const PackedFormat& format = directory.packed_config().format;
  const bool free_signs = format.vector_length == 0 && format.level_bits == 0;
  CodebookCounter counter(directory);
  for (int block = 0; block < directory.config().blocks; ++block) {
    const BlockWeights weights = original ? original(block) : BlockWeights();
    for (const LinearKind kind : kLinearKinds) {
      const QuantizedLinear linear = directory.linear(block, kind);
      inspection.linears.push_back(linear_statistics(block, kind, linear));
      counter.add(block, kind, linear);
      if (free_signs) {
        count_free_patterns(linear, inspection);
      }
      if (original) {
        inspection.linears.back().relative_error =
            relative_weight_error(directory.dense(block, kind), weights.linear.at(index_of(kind)));
      }
    }
  }
  inspection.codebooks = counter.codebooks();
  inspection.vector_length = free_signs ? kFreeLength : format.vector_length;
  for (const CodebookUsage& codebook : inspection.codebooks) {
    for (std::size_t k = 0; k < codebook.counts.size(); ++k) {
      if (codebook.counts[k] > 0) {
        inspection.patterns[codebook.codewords[k]] += codebook.counts[k];
      }
    }
  }
}

}  // namespace btc
