#include "pipeline/codebooks.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "comm/agree.hpp"
#include "common/error.hpp"
#include "common/rng.hpp"
#include "pipeline/stage_file.hpp"
#include "quant/quantized_linear.hpp"

namespace btc {

namespace {
constexpr StageFileKind kKind = {"btc.codebook", "1.0"};

std::string dataset_of(std::size_t i) { return concat("/codebook-", i, "/codewords"); }
}  // namespace

std::vector<Codebook> learn_block_codebooks(const std::vector<PatternHistogram>& histograms,
                                            const CodebookParams& params, std::uint64_t run_seed,
                                            int block, Backend& backend) {
  const bool grouped = params.scope == CodebookScope::kBlockGroup;
  const std::uint64_t stride = grouped ? std::uint64_t{1} << 32U : kLinearKinds.size();
  const auto seed_of = [&](std::size_t i) {
    return derive_seed(run_seed, grouped ? "codebook of a panel" : "codebook",
                       static_cast<std::uint64_t>(block) * stride + i);
  };
  if (params.scope == CodebookScope::kBlock) {
    return {learn_codebook(merge_histograms(histograms), params, seed_of(0), backend)};
  }
  return learn_codebooks(histograms, params, seed_of, backend);
}

PatternHistogram sum_histograms(
    std::size_t blocks, int vector_length, const Communicator& comm, DeviceCommunicator* device,
    const std::function<std::vector<PatternHistogram>(std::size_t)>& read) {
  std::vector<std::uint64_t> counts(std::size_t{1} << vector_length, 0);
  agree(comm, "reading sign patterns", [&] {
    const auto ranks = static_cast<std::size_t>(comm.size());
    for (auto b = static_cast<std::size_t>(comm.rank()); b < blocks; b += ranks) {
      for (const PatternHistogram& histogram : read(b)) {
        for (std::size_t i = 0; i < histogram.patterns.size(); ++i) {
          counts.at(histogram.patterns[i]) += histogram.counts[i];
        }
      }
    }
  });
  if (device != nullptr) {
    device->all_reduce_sum(counts);
  } else {
    comm.all_reduce_sum(counts);
  }
  PatternHistogram total;
  total.vector_length = vector_length;
  for (std::size_t pattern = 0; pattern < counts.size(); ++pattern) {
    if (counts[pattern] != 0) {
      total.patterns.push_back(static_cast<Pattern>(pattern));
      total.counts.push_back(counts[pattern]);
    }
  }
  return total;
}

std::size_t write_codebooks(const std::filesystem::path& path,
                            const std::vector<Codebook>& codebooks,
                            const std::string& fingerprint) {
  Hdf5File file = create_stage_file(path, kKind, fingerprint);
  file.set_attribute("/", "count", static_cast<std::int64_t>(codebooks.size()));
  for (std::size_t i = 0; i < codebooks.size(); ++i) {
    const Codebook& codebook = codebooks[i];
    const std::string name = dataset_of(i);
    write_list(file, name, codebook.codewords);
    file.set_attribute(name, "vector_length", static_cast<std::int64_t>(codebook.vector_length));
    file.set_attribute(name, "iterations", static_cast<std::int64_t>(codebook.iterations));
    file.set_attribute(name, "mean_flips", codebook.mean_flips);
  }
  return file.commit();
}

std::vector<Codebook> read_codebooks(const std::filesystem::path& path) {
  const Hdf5File file = open_stage_file(path, kKind);
  std::vector<Codebook> codebooks;
  const auto count = narrow<std::size_t>(file.int_attribute("/", "count"));
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = dataset_of(i);
    codebooks.push_back({.vector_length = narrow<int>(file.int_attribute(name, "vector_length")),
                         .codewords = file.read<Pattern>(name),
                         .iterations = narrow<int>(file.int_attribute(name, "iterations")),
                         .mean_flips = file.real_attribute(name, "mean_flips")});
  }
  return codebooks;
}

std::vector<std::unique_ptr<CodewordSearch>> open_searches(
    const std::optional<CodebookParams>& params, const std::vector<Codebook>& codebooks,
    Backend& backend) {
  std::vector<std::unique_ptr<CodewordSearch>> searches;
  if (params && params->codec == Codec::kLinear2016) {
    searches.push_back(backend.open_linear_code());
  }
  for (const Codebook& codebook : codebooks) {
    searches.push_back(backend.open_codewords(codebook.codewords, codebook.vector_length));
  }
  return searches;
}

const CodewordSearch* search_of(std::span<const std::unique_ptr<CodewordSearch>> searches,
                                LinearKind kind) {
  return searches.empty() ? nullptr : searches[searches.size() == 1 ? 0 : index_of(kind)].get();
}

std::string describe_codebooks(const std::vector<Codebook>& codebooks) {
  double flips = 0;
  std::size_t largest = 0;
  for (const Codebook& codebook : codebooks) {
    flips += codebook.mean_flips / static_cast<double>(codebooks.size());
    largest = std::max(largest, codebook.codewords.size());
  }
  return fmt::format("codewords {}, flipped signs {:.2f} %", largest, 100 * flips);
}

}  // namespace btc
