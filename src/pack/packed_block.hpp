#pragma once
/// QuantizedLinear <-> tensors of the packed format. @see docs/file_formats.md, section 4

#include <array>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.hpp"
#include "io/safetensors.hpp"
#include "pack/index_coding.hpp"
#include "pack/ledger.hpp"
#include "quant/codebook.hpp"
#include "quant/params.hpp"
#include "quant/quantized_linear.hpp"
#include "quant/transform.hpp"

namespace btc {

/// Everything of `quantization_config` that a reader needs; equal for all Linears of a model.
struct PackedFormat {
  int vector_length = 0;          ///< 0: codec none
  Codec codec = Codec::kLearned;  ///< where vector_length > 0
  std::size_t codebook_size = 0;  ///< c as configured
  CodebookScope scope = CodebookScope::kLinear;
  bool masked = false;  ///< one stream of indices over the sets of `quant/sign_sets.hpp`
  IndexCoding index_coding = IndexCoding::kFixed;
  std::size_t panel = 0;           ///< 0: one panel = whole row
  std::size_t groups = 1;          ///< G
  bool mean = true;                ///< mu is stored
  bool column_scale = false;       ///< alpha_col is stored, shared by the groups
  bool salient = true;             ///< salient columns may occur
  std::size_t salient_groups = 1;  ///< g, 1 or G: the entries of salient columns have groups too
  bool column_mean = false;        ///< mu_col is stored; without salient columns
  int level_bits = 0;              ///< uniform levels of this many bits, no signs; 0: signs
  bool rice_group_map = false;     ///< sparse map, Rice-coded where that is smaller (G = 2 only)
  /// with column_scale: one for each group, and for each plane of the salient columns
  bool group_column_scale = false;
  bool group_ratio = false;  ///< the groups of a row share alpha up to a factor of the Linear
  bool int8_scales = false;  ///< alpha and alpha_col are 8-bit integers; with group_ratio
  bool transform = false;    ///< inputs pass stored factors first
  bool operator==(const PackedFormat&) const = default;
};

/// Whether codebooks of this format are stored.
bool stores_codebook(const PackedFormat& format);
/// Checks the fields against each other. @throws FormatError beginning with `origin`
void check_format(const PackedFormat& format, std::string_view origin);
/// log2(c) / v, or 1 without codec.
double nominal_bits(const PackedFormat& format);
/// Columns that share scales in a Linear of `cols` columns, `QuantizedLinear::panel`: the panel,
/// but never more than the columns.
std::size_t panel_columns(const PackedFormat& format, std::size_t cols);

/// A quantized block with what is copied from the source.
struct PackedBlock {
  int block = 0;
  std::string fingerprint;  ///< of the unit that made it
  std::array<QuantizedLinear, kLinearKinds.size()> linear;
  /// Codebooks: one per Linear (scope linear), one per panel of each, Linear by Linear
  /// (block_group), one (block), none (model, codec none).
  std::vector<Codebook> codebooks;
  std::vector<TensorView> copied;  ///< norms and biases, as in the source
  OnlineFactors transform;         ///< empty without `PackedFormat::transform`
};

/// Writes `path` and returns its size, hash and ledger (lines named after `path`'s file name).
struct PackedBlockFile {
  WrittenFile file;
  std::vector<LedgerLine> ledger;
};
PackedBlockFile write_packed_block(const std::filesystem::path& path, const PackedBlock& block,
                                   const PackedFormat& format);

/// What a Linear takes in a packed file, by category, without the file's header.
/// @param codebooks counted with it; none: no codec, or shared with others
std::vector<LedgerLine> linear_ledger(const QuantizedLinear& linear,
                                      std::span<const Codebook> codebooks,
                                      const PackedFormat& format);

/// Checks the metadata of a packed file: format, major version, block (`outer` or a number).
/// @throws FormatError naming file, expected and got
void check_packed_metadata(const SafetensorsFile& file, const std::string& expected_block);

/// The codewords stored under these names, `PREFIX.codebook` and `PREFIX.codebook_size`: a single
/// codebook, unless `own_panels`, as a Linear has with scope block_group.
/// @throws FormatError as `read_packed_linear`
std::vector<std::vector<Pattern>> read_packed_codebooks(const SafetensorsFile& file,
                                                        const std::string& prefix,
                                                        const PackedFormat& format,
                                                        bool own_panels);
/// The single one.
/// @throws FormatError as `read_packed_linear`
std::vector<Pattern> read_packed_codebook(const SafetensorsFile& file, const std::string& prefix,
                                          const PackedFormat& format);

/// The codewords that the indices of a Linear point into: one list, or with scope block_group one
/// for each panel or set; none without codec.
/// @param shared_codebook the model-scope codewords, or null
/// @throws FormatError as `read_packed_linear`
std::vector<std::vector<Pattern>> read_linear_codewords(
    const SafetensorsFile& file, int block, LinearKind kind, const PackedFormat& format,
    const std::vector<Pattern>* shared_codebook);

/// Reads one Linear back: bit for bit the QuantizedLinear that was written.
/// @param shared_codebook the model-scope codewords, or null
/// @throws FormatError naming file, tensor, byte offset, expected and got
QuantizedLinear read_packed_linear(const SafetensorsFile& file, int block, LinearKind kind,
                                   const PackedFormat& format,
                                   const std::vector<Pattern>* shared_codebook);

/// The factors of a block's inputs; empty if the format has none.
/// @param widths of the inputs, by index_of(SharedInput)
/// @throws FormatError as `read_packed_linear`
OnlineFactors read_packed_transform(const SafetensorsFile& file, int block,
                                    const PackedFormat& format,
                                    const std::array<std::size_t, kSharedInputs.size()>& widths);

/// Ledger of a Linear of this shape before it exists (`plan`): exact but for data-dependent parts
/// (salient columns: `expected_salient` of them per Linear; Rice maps: their entropy).
std::vector<LedgerLine> predict_linear_ledger(std::size_t rows, std::size_t cols,
                                              const PackedFormat& format,
                                              std::size_t expected_salient,
                                              double upper_group_share);

}  // namespace btc
