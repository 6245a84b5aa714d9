#pragma once
/// A small golden checkpoint, packed with random Linears.

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/linear_code.hpp"
#include "model/checkpoint.hpp"
#include "pack/packed_model.hpp"
#include "random_linear.hpp"

namespace btc::test {

inline std::filesystem::path golden_model(const std::string& name) {
  return std::filesystem::path(BTC_SOURCE_DIR) / "tests/golden/models" / name;
}

/// The packed form of every Linear of a model.
struct PackedFixture {
  std::unique_ptr<Checkpoint> checkpoint;
  PackedFormat format;
  std::vector<std::array<QuantizedLinear, kLinearKinds.size()>> blocks;
  std::optional<Codebook> codebook;              ///< scope model
  std::vector<std::vector<Codebook>> codebooks;  ///< of each block, other scopes
  std::filesystem::path source;
  OnlineFactors transform;  ///< of every block, orthogonal; o has one factor

  PackedFixture(const std::string& model, const PackedFormat& wanted, std::size_t salient)
      : checkpoint(Checkpoint::open(golden_model(model))),
        format(wanted),
        source(golden_model(model)) {
    Rng rng(17);
    if (stores_codebook(format) && format.scope == CodebookScope::kModel) {
      codebook = draw(rng);
    }
    for (const SharedInput input : kSharedInputs) {
      if (format.transform) {
        const auto [p1, p2] = factor_pair(input_widths(checkpoint->config()).at(index_of(input)));
        KroneckerFactors& factors = transform.at(index_of(input));
        factors.p1 = round_factor(random_orthogonal(p1, 1));
        factors.p2 =
            input == SharedInput::kO ? Matrix<float>() : round_factor(random_orthogonal(p2, 2));
      }
    }
    for (int b = 0; b < checkpoint->config().blocks; ++b) {
      auto& block = blocks.emplace_back();
      auto& own = codebooks.emplace_back();
      if (stores_codebook(format) && format.scope == CodebookScope::kBlock) {
        own.push_back(draw(rng));
      }
      for (const LinearKind kind : kLinearKinds) {
        const auto [n, m] = linear_shape(checkpoint->config(), kind);
        RandomShape shape{n, m, {}};
        for (std::size_t k = 0; k < salient; ++k) {
          shape.salient.push_back(static_cast<std::uint32_t>(3 * k + 1));
        }
        block.at(index_of(kind)) = random_linear(shape, format, codewords_of(m, own, rng), rng);
      }
    }
  }

  /// Block files in `run`, then the model directory `run`/model; the shards in the given order.
  [[nodiscard]] std::filesystem::path assemble(const std::filesystem::path& run,
                                               bool backwards = false) const {
    const int count = checkpoint->config().blocks;
    auto directory = run / "model";
    std::vector<ModelFile> files;
    for (int i = 0; i < count; ++i) {
      const int b = backwards ? count - 1 - i : i;
      const auto path = run / (block_stem(b) + ".safetensors");
      const auto written = write_packed_block(path, packed_block(b), format);
      files.push_back(copy_block_shard(path, b, count, directory, written.file.sha256));
    }
    files.push_back(write_outer_shard(*checkpoint, codebook, directory));
    std::vector<LedgerLine> ledger;
    for (const ModelFile& file : files) {
      ledger.insert(ledger.end(), file.ledger.begin(), file.ledger.end());
    }
    const BitNumbers bits =
        bit_numbers(ledger, nominal_bits(format), linear_weight_count(checkpoint->config()),
                    parameter_count(checkpoint->config()));
    const std::vector<ModelFile> shards = files;
    for (const ModelFile& file : write_model_metadata(source, directory, format, bits, shards)) {
      files.push_back(file);
    }
    write_manifest(directory, files, bits, "fingerprint-of-the-source",
                   {{"binarize.panel", "128"}});
    return directory;
  }

  [[nodiscard]] PackedBlock packed_block(int b) const {
    PackedBlock block;
    block.block = b;
    block.fingerprint = "f";
    block.linear = blocks.at(static_cast<std::size_t>(b));
    block.transform = transform;
    block.codebooks = codebooks.at(static_cast<std::size_t>(b));
    for (const ExpectedTensor& tensor : block_tensors(checkpoint->config(), b)) {
      if (tensor.shape.size() == 1) {
        block.copied.push_back(checkpoint->tensor(tensor.name));
      }
    }
    return block;
  }

 private:
  [[nodiscard]] Codebook draw(Rng& rng) const {
    return {format.vector_length, random_codewords(format.codebook_size, format.vector_length, rng),
            0, 0};
  }
  /// Codewords of a Linear of this many columns; its own codebooks are drawn and added to `own`.
  std::vector<std::vector<Pattern>> codewords_of(std::size_t cols, std::vector<Codebook>& own,
                                                 Rng& rng) const {
    if (format.vector_length == 0) {
      return {{}};
    }
    if (format.codec == Codec::kLinear2016) {
      return {linear_code_words()};
    }
    if (codebook) {
      return {codebook->codewords};
    }
    std::size_t count = format.scope == CodebookScope::kBlock ? 0 : 1;
    if (format.scope == CodebookScope::kBlockGroup) {
      const SignGroups sets{format.groups, format.salient_groups, format.salient};
      count = ceil_div(cols, panel_columns(format, cols)) * (format.masked ? sets.sets() : 1);
    }
    for (std::size_t k = 0; k < count; ++k) {
      own.push_back(draw(rng));
    }
    std::vector<std::vector<Pattern>> codewords;
    for (std::size_t k = own.size() - std::max<std::size_t>(1, count); k < own.size(); ++k) {
      codewords.push_back(own[k].codewords);
    }
    return codewords;
  }
};

inline PackedFormat model_scope_format() {
  PackedFormat format;
  format.vector_length = 12;
  format.codebook_size = 300;
  format.scope = CodebookScope::kModel;
  format.index_coding = index_coding_for(300);
  format.panel = 24;
  format.groups = 3;
  return format;
}

}  // namespace btc::test
