#include "pack/packed_block.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "common/int8_scales.hpp"
#include "pack/group_map.hpp"
#include "pack/levels.hpp"
#include "pack/linear_layout.hpp"
#include "pack/tensor_store.hpp"

namespace btc {
namespace {

/// Codebooks that a block holds: those of its Linears one behind the other, or one, or none.
std::size_t codebook_count(const PackedBlock& block, const PackedFormat& format) {
  if (format.vector_length == 0 || format.scope == CodebookScope::kModel) {
    return 0;
  }
  if (format.scope == CodebookScope::kBlock) {
    return 1;
  }
  std::size_t count = 0;
  for (const QuantizedLinear& linear : block.linear) {
    count += LinearLayout(linear.rows, linear.cols, 0, format).codebooks;
  }
  return count;
}

void check_matrix(const std::string& name, std::size_t rows, std::size_t cols,
                  std::size_t expected_rows, std::size_t expected_cols) {
  BTC_CHECK(rows == expected_rows && cols == expected_cols, name, ": got [", rows, ", ", cols,
            "], expected [", expected_rows, ", ", expected_cols, "]");
}

/// A matrix that is there exactly where the format says so.
template <typename M>
void check_optional(const std::string& name, const M& matrix, bool present, std::size_t rows,
                    std::size_t cols) {
  if (present) {
    check_matrix(name, matrix.rows(), matrix.cols(), rows, cols);
  } else {
    BTC_CHECK(matrix.rows() * matrix.cols() == 0, name, ": must be empty");
  }
}

/// The parts of a Linear must fit each other and the format, or it could not be read back.
void check_linear(const std::string& name, const QuantizedLinear& linear,
                  const PackedFormat& format) {
  const LinearLayout layout(linear.rows, linear.cols, linear.salient_columns.size(), format);
  const auto& salient = linear.salient_columns;
  BTC_CHECK(linear.panel == layout.panel && linear.groups == format.groups &&
                linear.salient_groups == format.salient_groups &&
                linear.vector_length == format.vector_length,
            name, ": panel ", linear.panel, ", ", linear.groups, " groups, v ",
            linear.vector_length, " are not those of the format (", layout.panel, ", ",
            format.groups, ", ", format.vector_length, ")");
  BTC_CHECK(salient.empty() || format.salient, name, ": salient columns, format has none");
  BTC_CHECK(std::is_sorted(salient.begin(), salient.end(), std::less_equal<>()) &&
                (salient.empty() || salient.back() < linear.cols),
            name, ": salient columns are not ascending below ", linear.cols);
  const bool levels = format.level_bits > 0;
  BTC_CHECK(linear.level_bits == format.level_bits, name, ": levels of ", linear.level_bits,
            " bits, format has ", format.level_bits);
  check_optional(name + ".signs", linear.signs, !levels, layout.rows, layout.cols);
  check_optional(name + ".level", linear.level, levels, layout.rows, layout.cols);
  check_optional(name + ".zero", linear.zero, levels, layout.rows, layout.panels);
  BTC_CHECK(linear.masked == format.masked, name, ": layout masked ", linear.masked, ", format ",
            format.masked);
  check_optional(
      name + ".index", linear.index, format.vector_length > 0, layout.indices.rows,
      format.masked ? vector_count(linear, layout.sets, format.vector_length) : layout.sub_vectors);
  check_optional(name + ".group", linear.group, format.groups > 1, layout.rows, layout.cols);
  check_matrix(name + ".alpha", linear.alpha.rows(), linear.alpha.cols(), layout.rows,
               layout.panels * layout.row_groups);
  BTC_CHECK(linear.group_ratio.size() == (format.group_ratio ? format.groups : 0) &&
                (linear.group_ratio.empty() || linear.group_ratio[0] == 1.0F),
            name, ": ", linear.group_ratio.size(), " ratios of groups, or the first is not 1");
  check_optional(name + ".mu", linear.mu, format.mean, layout.rows, layout.panels * format.groups);
  check_optional(name + ".residual", linear.residual, layout.salient > 0, layout.rows,
                 layout.salient);
  check_optional(name + ".salient_alpha", linear.salient_alpha, layout.salient > 0, layout.rows,
                 layout.panels * 2 * format.salient_groups);
  check_optional(name + ".salient_mu", linear.salient_mu, layout.salient > 0 && format.mean,
                 layout.rows, layout.panels * format.salient_groups);
  BTC_CHECK(linear.int8_scales == format.int8_scales, name, ": 8-bit scales ", linear.int8_scales,
            ", format ", format.int8_scales);
  BTC_CHECK(linear.alpha_col.size() == layout.column_scales * layout.cols, name, ": ",
            linear.alpha_col.size(), " column scales");
  BTC_CHECK(linear.salient_alpha_col.size() ==
                (format.group_column_scale ? 2 * format.salient_groups * layout.salient : 0),
            name, ": ", linear.salient_alpha_col.size(), " column scales of salient columns");
  BTC_CHECK(linear.mu_col.size() == (format.column_mean ? layout.cols : 0), name, ": ",
            linear.mu_col.size(), " column means");
}

/// The same as below for indices of sets.
void check_set_codewords(const std::string& name, const QuantizedLinear& linear,
                         std::span<const Codebook> codebooks, const LinearLayout& layout) {
  QuantizedLinear decoded = linear;
  const auto vector_of = [&](std::size_t panel, std::size_t set, std::size_t number) {
    const std::uint32_t index = linear.index(0, number);
    const auto& codewords = codebooks[layout.codebook_of_set(panel, set)].codewords;
    BTC_CHECK(index < codewords.size(), name, ": index ", index, " of ", codewords.size(),
              " codewords");
    return codewords[index];
  };
  fill_signs(layout.sets, vector_of, linear.vector_length, decoded);
  BTC_CHECK(decoded.signs == linear.signs && decoded.residual == linear.residual, name,
            ": signs are not those of their codewords");
}

/// The signs must be those that the indices stand for.
void check_codewords(const std::string& name, const QuantizedLinear& linear,
                     std::span<const Codebook> codebooks, const PackedFormat& format) {
  const auto length = linear.vector_length;
  const LinearLayout layout(linear.rows, linear.cols, linear.salient_columns.size(), format);
  BTC_CHECK(codebooks.size() == layout.codebooks, name, ": ", codebooks.size(),
            " codebooks, expected ", layout.codebooks);
  for (const Codebook& codebook : codebooks) {
    BTC_CHECK(codebook.vector_length == length, name, ": codebook of v = ", codebook.vector_length);
  }
  if (format.masked) {
    check_set_codewords(name, linear, codebooks, layout);
    return;
  }
  BitMatrix row(1, linear.cols);
  for (std::size_t i = 0; i < linear.rows; ++i) {
    for (std::size_t s = 0; s < linear.index.cols(); ++s) {
      const std::uint32_t index = linear.index(i, s);
      const Codebook& codebook = codebooks[layout.codebook_of(s)];
      BTC_CHECK(index < codebook.codewords.size(), name, ": index ", index, " of ",
                codebook.codewords.size(), " codewords");
      row.set_pattern(0, s * narrow<std::size_t>(length), length, codebook.codewords[index]);
    }
    const auto* const stored = linear.signs.bytes().data() + i * linear.signs.row_bytes();
    BTC_CHECK(std::equal(row.bytes().begin(), row.bytes().end(), stored), name, ": signs of row ",
              i, " are not those of its codewords");
  }
}

class LinearWriter {
 public:
  LinearWriter(TensorStore& store, std::string name, const QuantizedLinear& linear,
               const PackedFormat& format)
      : store_(store),
        name_(std::move(name)),
        linear_(linear),
        format_(format),
        layout_(linear.rows, linear.cols, linear.salient_columns.size(), format),
        kept_(kept_columns(linear.salient_columns, linear.cols)) {}

  void write() {
    store_.add_integers(name_ + ".weight_shape", std::array{narrow<std::int64_t>(layout_.rows),
                                                            narrow<std::int64_t>(layout_.cols)});
    if (format_.vector_length > 0) {
      IndexStream stream = layout_.indices;
      stream.per_row = linear_.index.cols();
      store_.add_bytes(name_ + ".indices", index_shape(stream),
                       encode_indices(linear_.index, stream));
    } else if (format_.level_bits > 0) {
      store_.add_bytes(name_ + ".levels", layout_.level_shape(layout_.cols),
                       encode_levels(linear_.level, layout_.level_bits));
      store_.add_bytes(name_ + ".zeros", layout_.level_shape(layout_.panels),
                       encode_levels(linear_.zero, layout_.level_bits));
    } else {
      store_.add_bytes(name_ + ".signs", layout_.sign_shape(), linear_.signs.bytes());
    }
    add_scales(".alpha", layout_.scale_shape(), linear_.alpha.values());
    if (format_.group_ratio) {
      std::vector<float> ratios(linear_.group_ratio.begin() + 1, linear_.group_ratio.end());
      if (format_.int8_scales) {
        ratios.insert(ratios.begin(),
                      {int8_unit(linear_.alpha.values()), int8_unit(linear_.alpha_col)});
      }
      store_.add_halves(name_ + ".group_ratio", layout_.group_ratio_shape(), ratios);
    }
    if (format_.mean) {
      store_.add_halves(name_ + ".mu", layout_.scale_shape(), linear_.mu.values());
    }
    if (format_.column_scale) {
      write_column_scale();
    }
    if (format_.column_mean) {
      store_.add_halves(name_ + ".mu_col", {1, narrow<std::int64_t>(layout_.cols)}, linear_.mu_col);
    }
    if (layout_.salient > 0) {
      write_salient();
    }
    if (format_.groups > 1) {
      write_groups();
    }
  }

 private:
  void add_scales(const char* field, std::vector<std::int64_t> shape,
                  std::span<const float> values) {
    if (format_.int8_scales) {
      store_.add_int8(name_ + field, std::move(shape), values);
    } else {
      store_.add_halves(name_ + field, std::move(shape), values);
    }
  }

  void write_column_scale() {
    std::vector<float> values;
    for (std::size_t row = 0; row < layout_.column_scales; ++row) {
      const auto scales = std::span(linear_.alpha_col).subspan(row * layout_.cols, layout_.cols);
      for (const std::uint32_t column : linear_.salient_columns) {
        BTC_CHECK(scales[column] == 1.0F, name_, ": salient column ", column,
                  " has a column scale of ", scales[column]);
      }
      for (const std::uint32_t column : kept_) {
        values.push_back(scales[column]);
      }
    }
    add_scales(".alpha_col", layout_.alpha_col_shape(), values);
    if (!linear_.salient_alpha_col.empty()) {
      store_.add_halves(name_ + ".salient_alpha_col", layout_.salient_alpha_col_shape(),
                        linear_.salient_alpha_col);
    }
  }

  void write_salient() {
    BitMatrix map(1, layout_.cols);
    for (const std::uint32_t column : linear_.salient_columns) {
      map.set(0, column, true);
    }
    store_.add_bytes(name_ + ".salient_columns", {narrow<std::int64_t>(map.row_bytes())},
                     map.bytes());
    store_.add_halves(name_ + ".salient_alpha", layout_.salient_alpha_shape(),
                      linear_.salient_alpha.values());
    if (format_.mean) {
      store_.add_halves(name_ + ".salient_mu", layout_.salient_mu_shape(),
                        linear_.salient_mu.values());
    }
    if (!format_.masked) {
      store_.add_bytes(name_ + ".residual_signs", layout_.residual_shape(),
                       linear_.residual.bytes());
    }
  }

  void write_groups() {
    Matrix<std::uint8_t> map(layout_.rows, layout_.map_entries());
    const bool all = layout_.salient_groups > 1;
    for (std::size_t i = 0; i < layout_.rows; ++i) {
      for (std::size_t e = 0; e < map.cols(); ++e) {
        const std::uint8_t group = linear_.group(i, all ? e : kept_[e]);
        map(i, e) = is_salient(group) ? static_cast<std::uint8_t>(salient_group(group)) : group;
      }
      check_salient_groups(i);
    }
    if (format_.rice_group_map && write_rice(map)) {
      return;
    }
    store_.add_bytes(name_ + ".group_map", layout_.group_map_shape(),
                     encode_group_map(map, format_.groups));
  }

  void check_salient_groups(std::size_t i) const {
    for (const std::uint32_t column : linear_.salient_columns) {
      const std::uint8_t group = linear_.group(i, column);
      BTC_CHECK(is_salient(group) && salient_group(group) < layout_.salient_groups, name_,
                ": salient entry [", i, ", ", column, "] is in a group of its own: ", int{group});
    }
  }

  /// False, and nothing written, where the plain map is not larger.
  bool write_rice(Matrix<std::uint8_t> map) {
    const bool one_stream = rice_in_one_stream(kept_.size());
    if (one_stream) {
      Matrix<std::uint8_t> row(1, map.size());
      row.values() = std::move(map.values());
      map = std::move(row);
    }
    RiceMap rice = encode_rice_map(map);
    const std::size_t plain = layout_.rows * group_map_row_bytes(kept_.size(), 2);
    const auto longest = std::max_element(rice.row_bytes.begin(), rice.row_bytes.end());
    constexpr std::size_t kLongestRow = 0xffff;  // row lengths are 16-bit
    const std::size_t length_bytes = one_stream ? 0 : 2 * layout_.rows;
    if (rice.bytes.size() + length_bytes + 1 >= plain || (!one_stream && *longest > kLongestRow)) {
      return false;
    }
    if (!one_stream) {
      std::vector<std::uint8_t> lengths;
      for (const std::size_t bytes : rice.row_bytes) {
        lengths.push_back(static_cast<std::uint8_t>(bytes & 0xffU));
        lengths.push_back(static_cast<std::uint8_t>(bytes >> 8U));
      }
      store_.add_bytes(name_ + ".group_map_row_bytes", {narrow<std::int64_t>(layout_.rows), 2},
                       std::move(lengths));
    }
    std::vector<std::uint8_t> stream = std::move(rice.bytes);
    stream.insert(stream.begin(), static_cast<std::uint8_t>(rice.parameter));
    const auto size = narrow<std::int64_t>(stream.size());
    store_.add_bytes(name_ + ".group_map", {size}, std::move(stream));
    return true;
  }

  TensorStore& store_;
  std::string name_;
  const QuantizedLinear& linear_;
  const PackedFormat& format_;
  LinearLayout layout_;
  std::vector<std::uint32_t> kept_;  ///< columns that are not salient, ascending
};

/// `model.layers.17.btc.qkv.p1` and so on.
void write_transform(TensorStore& store, const PackedBlock& block) {
  for (const SharedInput input : kSharedInputs) {
    const KroneckerFactors& factors = block.transform.at(index_of(input));
    const std::string prefix = transform_prefix(block.block, input);
    const auto add = [&](const char* name, const Matrix<float>& factor) {
      if (!factor.empty()) {
        const auto size = narrow<std::int64_t>(factor.rows());
        store.add_halves(prefix + name, {size, size}, factor.values());
      }
    };
    add(".p1", factors.p1);
    add(".p2", factors.p2);
  }
}

void check_transform(const PackedBlock& block, const PackedFormat& format) {
  for (const KroneckerFactors& factors : block.transform) {
    BTC_CHECK(factors.p1.empty() != format.transform, "block ", block.block,
              ": factors of a transform, expected ", format.transform ? "some" : "none");
  }
}

void check_codebook_count(const PackedBlock& block, const PackedFormat& format) {
  const std::size_t expected = codebook_count(block, format);
  BTC_CHECK(block.codebooks.size() == expected, "block ", block.block, ": ", block.codebooks.size(),
            " codebooks, expected ", expected);
  for (const Codebook& codebook : block.codebooks) {
    BTC_CHECK(!codebook.codewords.empty() && codebook.codewords.size() <= format.codebook_size,
              "block ", block.block, ": ", codebook.codewords.size(), " codewords, expected 1..",
              format.codebook_size);
  }
}

}  // namespace

std::vector<LedgerLine> linear_ledger(const QuantizedLinear& linear,
                                      std::span<const Codebook> codebooks,
                                      const PackedFormat& format) {
  const std::string name = "linear";
  check_format(format, "format");
  check_linear(name, linear, format);
  TensorStore store;
  if (!codebooks.empty()) {
    check_codewords(name, linear, codebooks, format);
    store.add_codebooks(name, codebooks);
  }
  LinearWriter(store, name, linear, format).write();
  std::vector<LedgerLine> lines;
  for (const TensorView& tensor : store.views()) {
    lines.push_back(ledger_line_of(tensor, ""));
  }
  return totals_by_category(lines);
}

PackedBlockFile write_packed_block(const std::filesystem::path& path, const PackedBlock& block,
                                   const PackedFormat& format) {
  check_format(format, "format");
  check_codebook_count(block, format);
  check_transform(block, format);
  const std::span<const Codebook> codebooks = block.codebooks;
  const bool shared = codebooks.empty() || format.scope == CodebookScope::kBlock;
  std::size_t next = 0;
  TensorStore store;
  for (const LinearKind kind : kLinearKinds) {
    const std::string name = linear_name(block.block, kind);
    const QuantizedLinear& linear = block.linear.at(index_of(kind));
    check_linear(name, linear, format);
    if (!codebooks.empty()) {
      const std::size_t count =
          shared ? 1 : LinearLayout(linear.rows, linear.cols, 0, format).codebooks;
      check_codewords(name, linear, codebooks.subspan(next, count), format);
      if (!shared) {
        store.add_codebooks(name, codebooks.subspan(next, count));
        next += count;
      }
    }
    LinearWriter(store, name, linear, format).write();
  }
  if (!codebooks.empty() && shared) {
    store.add_codebooks(block_codebook_prefix(block.block), codebooks);
  }
  write_transform(store, block);
  for (const TensorView& tensor : block.copied) {
    store.add_view(tensor);
  }
  PackedBlockFile result;
  result.file = write_safetensors(path, store.views(),
                                  packed_metadata(std::to_string(block.block), block.fingerprint));
  result.ledger = ledger_of(SafetensorsFile::open(path));
  return result;
}

}  // namespace btc
