#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "common/int8_scales.hpp"
#include "common/linear_code.hpp"
#include "io/format_version.hpp"
#include "pack/bit_stream.hpp"
#include "pack/group_map.hpp"
#include "pack/levels.hpp"
#include "pack/linear_layout.hpp"
#include "pack/packed_block.hpp"
#include "pack/tensor_store.hpp"

namespace btc {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t extent : shape) {
    text += concat(text.size() > 1 ? ", " : "", extent);
  }
  return text + "]";
}

/// Tensors of one owner, checked one by one.
class TensorReader {
 public:
  TensorReader(const SafetensorsFile& file, std::string owner)
      : file_(file), owner_(std::move(owner)) {}

  [[nodiscard]] bool has(const char* field) const { return find(field) != nullptr; }

  void refuse(const char* field, const char* reason) const {
    const TensorView* tensor = find(field);
    if (tensor != nullptr) {
      origin(*tensor).fail(0, "is present, but ", reason);
    }
  }

  /// The tensor, of exactly this type and shape.
  [[nodiscard]] const TensorView& at(const char* field, DType dtype,
                                     const std::vector<std::int64_t>& shape) const {
    const TensorView& tensor = of_type(field, dtype);
    if (tensor.shape != shape) {
      origin(tensor).fail(0, "shape ", shape_text(tensor.shape), ", expected ", shape_text(shape));
    }
    return tensor;
  }

  /// A tensor of one dimension whose extent the file alone knows.
  [[nodiscard]] const TensorView& list(const char* field) const {
    const TensorView& tensor = of_type(field, DType::kU8);
    if (tensor.shape.size() != 1) {
      origin(tensor).fail(0, "shape ", shape_text(tensor.shape), ", expected one dimension");
    }
    return tensor;
  }

  [[nodiscard]] std::size_t dimensions(const char* field, DType dtype) const {
    return of_type(field, dtype).shape.size();
  }

  /// Length of a tensor of one dimension.
  [[nodiscard]] std::int64_t extent(const char* field, DType dtype) const {
    const TensorView& tensor = of_type(field, dtype);
    if (tensor.shape.size() != 1 || tensor.shape[0] < 1) {
      origin(tensor).fail(0, "shape ", shape_text(tensor.shape),
                          ", expected one dimension, not empty");
    }
    return tensor.shape[0];
  }

  [[nodiscard]] std::vector<std::int64_t> integers(const char* field, std::int64_t count) const {
    const TensorView& tensor = at(field, DType::kI64, {count});
    std::vector<std::int64_t> values(tensor.element_count());
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return values;
  }

  /// Finite fp16 values.
  [[nodiscard]] std::vector<float> halves(const char* field,
                                          const std::vector<std::int64_t>& shape) const {
    const TensorView& tensor = at(field, DType::kF16, shape);
    std::vector<float> values = to_float(tensor);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i])) {
        origin(tensor).fail(2 * i, "value ", values[i], ", expected a finite number");
      }
    }
    return values;
  }

  /// Integers of 8 bits times `unit`.
  [[nodiscard]] std::vector<float> bytes(const char* field, const std::vector<std::int64_t>& shape,
                                         float unit) const {
    const TensorView& tensor = at(field, DType::kI8, shape);
    std::vector<float> values(tensor.bytes.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto code = static_cast<std::int8_t>(std::to_integer<std::uint8_t>(tensor.bytes[i]));
      values[i] = unit * static_cast<float>(code);
      if (static_cast<float>(code) < -kMaxInt8Scale) {
        origin(tensor).fail(i, "value ", int{code}, ", expected -127..127");
      }
    }
    return values;
  }

  /// A square fp16 matrix of at most `limit` rows.
  [[nodiscard]] Matrix<float> square(const char* field, std::size_t limit) const {
    const TensorView& tensor = of_type(field, DType::kF16);
    const std::size_t size =
        tensor.shape.size() == 2 ? static_cast<std::size_t>(tensor.shape[0]) : 0;
    if (size < 1 || size > limit) {
      origin(tensor).fail(0, "shape ", shape_text(tensor.shape), ", expected a square of 1..",
                          limit, " rows");
    }
    Matrix<float> matrix(size, size);
    matrix.values() = halves(field, {tensor.shape[0], tensor.shape[0]});
    return matrix;
  }

  /// Rows of bits with zero padding.
  [[nodiscard]] BitMatrix bits(const char* field, const std::vector<std::int64_t>& shape,
                               std::size_t rows, std::size_t cols) const {
    const TensorView& tensor = at(field, DType::kU8, shape);
    BitMatrix matrix(rows, cols);
    std::memcpy(matrix.bytes().data(), tensor.bytes.data(), tensor.bytes.size());
    const std::size_t used = cols % 8;
    for (std::size_t i = 0; used != 0 && i < rows; ++i) {
      const std::size_t last = (i + 1) * matrix.row_bytes() - 1;
      if ((matrix.bytes()[last] >> used) != 0) {
        origin(tensor).fail(last, "pad bits of row ", i, " are set, expected 0");
      }
    }
    return matrix;
  }

  [[nodiscard]] TensorOrigin origin(const TensorView& tensor) const {
    return {file_.path().filename().string(), tensor.name, tensor.file_offset};
  }

 private:
  [[nodiscard]] const TensorView* find(const char* field) const {
    return file_.find(concat(owner_, ".", field));
  }
  [[nodiscard]] const TensorView& of_type(const char* field, DType dtype) const {
    const TensorView& tensor = file_.at(concat(owner_, ".", field));
    if (tensor.dtype != dtype) {
      origin(tensor).fail(0, "dtype ", name_of(tensor.dtype), ", expected ", name_of(dtype));
    }
    return tensor;
  }

  const SafetensorsFile& file_;
  std::string owner_;
};

class LinearReader {
 public:
  LinearReader(const SafetensorsFile& file, const std::string& name, const PackedFormat& format)
      : reader_(file, name), format_(format) {}

  /// @param codewords of all sub-vectors, or of each panel
  QuantizedLinear read(std::span<const std::vector<Pattern>> codewords) {
    read_shape();
    read_salient_columns();
    const LinearLayout layout(linear_.rows, linear_.cols, linear_.salient_columns.size(), format_);
    linear_.panel = layout.panel;
    linear_.groups = format_.groups;
    linear_.salient_groups = format_.salient_groups;
    linear_.vector_length = format_.vector_length;
    linear_.level_bits = format_.level_bits;
    linear_.int8_scales = format_.int8_scales;
    read_group_ratio(layout);
    linear_.alpha = in_rows(scale_values("alpha", layout.scale_shape(), alpha_unit_));
    if (format_.mean) {
      linear_.mu = in_rows(reader_.halves("mu", layout.scale_shape()));
    } else {
      reader_.refuse("mu", "the format has no means");
    }
    if (format_.level_bits > 0) {
      read_levels(layout);
    } else {
      for (const char* field : {"levels", "zeros"}) {
        reader_.refuse(field, "the format has no uniform levels");
      }
      read_signs(layout, codewords);
    }
    read_salient(layout);
    const auto kept = kept_columns(linear_.salient_columns, linear_.cols);
    read_column_scale(layout, kept);
    read_column_mean();
    read_groups(layout, kept);
    if (format_.masked) {
      read_sets(layout, codewords);
    }
    return std::move(linear_);
  }

 private:
  [[nodiscard]] Matrix<float> in_rows(std::vector<float> values) const {
    Matrix<float> matrix(linear_.rows, values.size() / linear_.rows);
    matrix.values() = std::move(values);
    return matrix;
  }

  /// @param unit of 8-bit values
  [[nodiscard]] std::vector<float> scale_values(const char* field,
                                                const std::vector<std::int64_t>& shape,
                                                float unit) const {
    return format_.int8_scales ? reader_.bytes(field, shape, unit) : reader_.halves(field, shape);
  }

  /// Bounds what the shape alone can make us allocate.
  void read_shape() {
    constexpr std::int64_t kMaxExtent = std::int64_t{1} << 24U;
    const auto shape = reader_.integers("weight_shape", 2);
    for (const std::int64_t extent : shape) {
      if (extent < 1 || extent > kMaxExtent) {
        const TensorView& tensor = reader_.at("weight_shape", DType::kI64, {2});
        reader_.origin(tensor).fail(0, "shape ", shape_text(shape), ", expected extents 1..",
                                    kMaxExtent);
      }
    }
    linear_.rows = static_cast<std::size_t>(shape[0]);
    linear_.cols = static_cast<std::size_t>(shape[1]);
  }

  void read_salient_columns() {
    if (!reader_.has("salient_columns")) {
      return;
    }
    if (!format_.salient) {
      reader_.refuse("salient_columns", "the format has no salient columns");
    }
    const std::vector<std::int64_t> shape = {narrow<std::int64_t>(ceil_div(linear_.cols, 8))};
    const BitMatrix map = reader_.bits("salient_columns", shape, 1, linear_.cols);
    for (std::size_t j = 0; j < linear_.cols; ++j) {
      if (map.get(0, j)) {
        linear_.salient_columns.push_back(static_cast<std::uint32_t>(j));
      }
    }
    if (linear_.salient_columns.empty()) {
      reader_.refuse("salient_columns", "no bit of it is set");
    }
  }

  void read_levels(const LinearLayout& layout) {
    for (const char* field : {"indices", "signs"}) {
      reader_.refuse(field, "the format has uniform levels");
    }
    const auto read = [&](const char* field, std::size_t count) {
      const TensorView& tensor = reader_.at(field, DType::kU8, layout.level_shape(count));
      return decode_levels(tensor.bytes, layout.rows, count, layout.level_bits,
                           reader_.origin(tensor));
    };
    linear_.level = read("levels", layout.cols);
    linear_.zero = read("zeros", layout.panels);
  }

  void read_signs(const LinearLayout& layout, std::span<const std::vector<Pattern>> codewords) {
    if (format_.vector_length == 0) {
      reader_.refuse("indices", "the format has no codec");
      linear_.signs = reader_.bits("signs", layout.sign_shape(), layout.rows, layout.cols);
      return;
    }
    reader_.refuse("signs", "the format has a codec");
    check_codebooks(layout, codewords.size());
    if (format_.masked) {
      return;  // the sets are known once the groups are
    }
    const TensorView& tensor = reader_.at("indices", DType::kU8, index_shape(layout.indices));
    linear_.index = decode_indices(tensor.bytes, layout.indices, most_codewords(codewords),
                                   reader_.origin(tensor));
    linear_.signs = BitMatrix(layout.rows, layout.cols);
    const auto length = static_cast<std::size_t>(format_.vector_length);
    for (std::size_t i = 0; i < layout.rows; ++i) {
      for (std::size_t s = 0; s < layout.sub_vectors; ++s) {
        linear_.signs.set_pattern(
            i, s * length, format_.vector_length,
            codeword_at(codewords[layout.codebook_of(s)], linear_.index(i, s), tensor));
      }
    }
  }

  /// Signs of both planes, of a format whose indices are of sets.
  void read_sets(const LinearLayout& layout, std::span<const std::vector<Pattern>> codewords) {
    const int v = format_.vector_length;
    IndexStream stream = layout.indices;
    stream.per_row = vector_count(linear_, layout.sets, v);
    const TensorView& tensor = reader_.at("indices", DType::kU8, index_shape(stream));
    linear_.masked = true;
    linear_.index =
        decode_indices(tensor.bytes, stream, most_codewords(codewords), reader_.origin(tensor));
    const auto vector_of = [&](std::size_t panel, std::size_t set, std::size_t number) {
      return codeword_at(codewords[layout.codebook_of_set(panel, set)], linear_.index(0, number),
                         tensor);
    };
    fill_signs(layout.sets, vector_of, v, linear_);
  }

  /// The tensor's error if the codebooks are not as many as the layout has.
  void check_codebooks(const LinearLayout& layout, std::size_t count) const {
    if (count != layout.codebooks) {
      const std::vector<std::int64_t> shape = {narrow<std::int64_t>(layout.codebooks)};
      static_cast<void>(reader_.at("codebook_size", DType::kI64, shape));
    }
  }

  static std::size_t most_codewords(std::span<const std::vector<Pattern>> codewords) {
    return std::max_element(codewords.begin(), codewords.end(),
                            [](const auto& a, const auto& b) { return a.size() < b.size(); })
        ->size();
  }

  [[nodiscard]] Pattern codeword_at(const std::vector<Pattern>& codewords, std::uint32_t index,
                                    const TensorView& tensor) const {
    if (index >= codewords.size()) {
      reader_.origin(tensor).fail(0, "index ", index, " into a codebook, expected < ",
                                  codewords.size());
    }
    return codewords[index];
  }

  void read_salient(const LinearLayout& layout) {
    if (layout.salient == 0) {
      linear_.residual = BitMatrix(layout.rows, 0);
      for (const char* field : {"salient_alpha", "salient_mu", "residual_signs"}) {
        reader_.refuse(field, "salient_columns is not");
      }
      return;
    }
    linear_.salient_alpha = in_rows(reader_.halves("salient_alpha", layout.salient_alpha_shape()));
    if (format_.mean) {
      linear_.salient_mu = in_rows(reader_.halves("salient_mu", layout.salient_mu_shape()));
    } else {
      reader_.refuse("salient_mu", "the format has no means");
    }
    if (format_.masked) {
      reader_.refuse("residual_signs", "indices stand for them");
    } else {
      linear_.residual =
          reader_.bits("residual_signs", layout.residual_shape(), layout.rows, layout.salient);
    }
  }

  void read_group_ratio(const LinearLayout& layout) {
    if (!format_.group_ratio) {
      reader_.refuse("group_ratio", "the groups have scales of their own");
      return;
    }
    std::vector<float> ratios = reader_.halves("group_ratio", layout.group_ratio_shape());
    if (format_.int8_scales) {
      alpha_unit_ = checked_unit(layout, ratios, 0);
      column_unit_ = checked_unit(layout, ratios, 1);
      ratios.erase(ratios.begin(), ratios.begin() + 2);
    }
    ratios.insert(ratios.begin(), 1.0F);
    linear_.group_ratio = std::move(ratios);
  }

  [[nodiscard]] float checked_unit(const LinearLayout& layout, const std::vector<float>& ratios,
                                   std::size_t k) const {
    int exponent = 0;
    const float mantissa = std::frexp(ratios[k], &exponent);  // in [0.5, 1)
    if (mantissa != 0.5F || exponent - 1 < kMinScaleExponent || exponent - 1 > kMaxScaleExponent) {
      const TensorView& tensor = reader_.at("group_ratio", DType::kF16, layout.group_ratio_shape());
      reader_.origin(tensor).fail(2 * k, "unit ", ratios[k], ", expected a power of two, 2^",
                                  kMinScaleExponent, " to 2^", kMaxScaleExponent);
    }
    return ratios[k];
  }

  void read_column_scale(const LinearLayout& layout, const std::vector<std::uint32_t>& kept) {
    if (!format_.group_column_scale || layout.salient == 0) {
      reader_.refuse("salient_alpha_col", "the format has none, or no column is salient");
    } else {
      linear_.salient_alpha_col =
          reader_.halves("salient_alpha_col", layout.salient_alpha_col_shape());
    }
    if (!format_.column_scale) {
      reader_.refuse("alpha_col", "the format has no column scales");
      return;
    }
    const auto values = scale_values("alpha_col", layout.alpha_col_shape(), column_unit_);
    linear_.alpha_col.assign(layout.column_scales * linear_.cols, 1.0F);
    for (std::size_t row = 0; row < layout.column_scales; ++row) {
      for (std::size_t e = 0; e < kept.size(); ++e) {
        linear_.alpha_col[row * linear_.cols + kept[e]] = values[row * kept.size() + e];
      }
    }
  }

  void read_column_mean() {
    if (!format_.column_mean) {
      reader_.refuse("mu_col", "the format has no column means");
      return;
    }
    linear_.mu_col = reader_.halves("mu_col", {1, narrow<std::int64_t>(linear_.cols)});
  }

  void read_groups(const LinearLayout& layout, const std::vector<std::uint32_t>& kept) {
    if (format_.groups == 1) {
      reader_.refuse("group_map", "the format has one group");
      return;
    }
    const bool rice = format_.rice_group_map && reader_.dimensions("group_map", DType::kU8) == 1;
    const Matrix<std::uint8_t> map =
        rice ? read_rice(layout, kept.size()) : read_plain(layout, layout.map_entries());
    linear_.group = Matrix<std::uint8_t>(layout.rows, layout.cols, kSalientGroup);
    for (std::size_t i = 0; i < layout.rows; ++i) {
      for (std::size_t e = 0; e < kept.size(); ++e) {
        linear_.group(i, kept[e]) = map(i, layout.salient_groups > 1 ? kept[e] : e);
      }
      for (const std::uint32_t column : linear_.salient_columns) {
        const std::size_t group = layout.salient_groups > 1 ? map(i, column) : 0;
        linear_.group(i, column) = salient_code(group);
      }
    }
  }

  Matrix<std::uint8_t> read_plain(const LinearLayout& layout, std::size_t entries) {
    reader_.refuse("group_map_row_bytes", "the map is not Rice-coded");
    const TensorView& tensor = reader_.at("group_map", DType::kU8, layout.group_map_shape());
    return decode_group_map(tensor.bytes, layout.rows, entries, layout.groups,
                            reader_.origin(tensor));
  }

  Matrix<std::uint8_t> read_rice(const LinearLayout& layout, std::size_t entries) {
    const TensorView& map = reader_.list("group_map");
    const TensorOrigin origin = reader_.origin(map);
    const std::size_t k = map.bytes.empty() ? 0 : std::to_integer<std::size_t>(map.bytes[0]);
    if (map.bytes.empty() || k > kMaxRiceParameter) {
      origin.fail(0, "Rice parameter ", map.bytes.empty() ? "missing" : std::to_string(k),
                  ", expected at most ", kMaxRiceParameter);
    }
    const auto codes = map.bytes.subspan(1);
    const TensorOrigin codes_origin{origin.file, origin.tensor, origin.offset + 1};
    if (rice_in_one_stream(entries)) {
      reader_.refuse("group_map_row_bytes", "rows this short have one stream");
      Matrix<std::uint8_t> rows(layout.rows, entries);
      rows.values() = std::move(
          decode_rice_map(codes, std::array{codes.size()}, k, layout.rows * entries, codes_origin)
              .values());
      return rows;
    }
    const TensorView& lengths =
        reader_.at("group_map_row_bytes", DType::kU8, {narrow<std::int64_t>(layout.rows), 2});
    std::vector<std::size_t> row_bytes(layout.rows);
    std::size_t sum = 0;
    for (std::size_t i = 0; i < layout.rows; ++i) {
      row_bytes[i] = std::to_integer<std::size_t>(lengths.bytes[2 * i]) +
                     (std::to_integer<std::size_t>(lengths.bytes[2 * i + 1]) << 8U);
      sum += row_bytes[i];
    }
    if (sum != codes.size()) {
      reader_.origin(lengths).fail(0, "rows of ", sum, " bytes, expected ", codes.size());
    }
    return decode_rice_map(codes, row_bytes, k, entries, codes_origin);
  }

  TensorReader reader_;
  const PackedFormat& format_;
  QuantizedLinear linear_;
  float alpha_unit_ = 1.0F, column_unit_ = 1.0F;
};

}  // namespace

void check_packed_metadata(const SafetensorsFile& file, const std::string& expected_block) {
  const std::string name = file.path().filename().string();
  const auto value = [&](const char* key) {
    const auto entry = file.metadata().find(key);
    BTC_REQUIRE(FormatError, entry != file.metadata().end(), name, ": __metadata__.", key,
                " is missing");
    return entry->second;
  };
  BTC_REQUIRE(FormatError, value("format") == kPackedFormatName, name, ": format ", value("format"),
              ", expected ", kPackedFormatName);
  check_version(value("version"), kPackedVersion, name);
  BTC_REQUIRE(FormatError, value("block") == expected_block, name, ": block ", value("block"),
              ", expected ", expected_block);
}

std::vector<std::vector<Pattern>> read_packed_codebooks(const SafetensorsFile& file,
                                                        const std::string& prefix,
                                                        const PackedFormat& format,
                                                        bool own_panels) {
  const TensorReader reader(file, prefix);
  const std::int64_t count = own_panels ? reader.extent("codebook_size", DType::kI64) : 1;
  const std::vector<std::int64_t> sizes = reader.integers("codebook_size", count);
  std::size_t bytes = 0;
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    if (sizes[k] < 1 || std::cmp_greater(sizes[k], format.codebook_size)) {
      const TensorView& tensor = reader.at("codebook_size", DType::kI64, {count});
      reader.origin(tensor).fail(k * sizeof(std::int64_t), sizes[k], " codewords, expected 1..",
                                 format.codebook_size);
    }
    bytes += codebook_bytes(static_cast<std::size_t>(sizes[k]), format.vector_length);
  }
  const TensorView& tensor = reader.at("codebook", DType::kU8, {narrow<std::int64_t>(bytes)});
  std::vector<std::vector<Pattern>> codebooks;
  std::size_t begin = 0;
  for (const std::int64_t size : sizes) {
    const auto codewords = static_cast<std::size_t>(size);
    const std::size_t length = codebook_bytes(codewords, format.vector_length);
    BitReader bits(tensor.bytes.subspan(begin, length));
    codebooks.emplace_back(codewords);
    for (Pattern& pattern : codebooks.back()) {
      pattern = static_cast<Pattern>(bits.read(static_cast<std::size_t>(format.vector_length)));
    }
    begin += length;
    if (!bits.rest_is(false)) {
      reader.origin(tensor).fail(begin - 1, "pad bits are set, expected 0");
    }
  }
  return codebooks;
}

std::vector<Pattern> read_packed_codebook(const SafetensorsFile& file, const std::string& prefix,
                                          const PackedFormat& format) {
  return std::move(read_packed_codebooks(file, prefix, format, false).front());
}

std::vector<std::vector<Pattern>> read_linear_codewords(
    const SafetensorsFile& file, int block, LinearKind kind, const PackedFormat& format,
    const std::vector<Pattern>* shared_codebook) {
  const std::string name = linear_name(block, kind);
  if (format.vector_length == 0) {
    return {};
  }
  if (format.codec == Codec::kLinear2016) {
    return {linear_code_words()};
  }
  if (format.scope == CodebookScope::kModel) {
    BTC_CHECK(shared_codebook != nullptr, name, ": the codebook of the model is missing");
    return {*shared_codebook};
  }
  return read_packed_codebooks(
      file, format.scope == CodebookScope::kBlock ? block_codebook_prefix(block) : name, format,
      format.scope == CodebookScope::kBlockGroup);
}

QuantizedLinear read_packed_linear(const SafetensorsFile& file, int block, LinearKind kind,
                                   const PackedFormat& format,
                                   const std::vector<Pattern>* shared_codebook) {
  check_format(format, file.path().filename().string());
  return LinearReader(file, linear_name(block, kind), format)
      .read(read_linear_codewords(file, block, kind, format, shared_codebook));
}

OnlineFactors read_packed_transform(const SafetensorsFile& file, int block,
                                    const PackedFormat& format,
                                    const std::array<std::size_t, kSharedInputs.size()>& widths) {
  OnlineFactors factors;
  for (const SharedInput input : kSharedInputs) {
    const TensorReader reader(file, transform_prefix(block, input));
    if (!format.transform) {
      reader.refuse("p1", "the format has no transform");
      reader.refuse("p2", "the format has no transform");
      continue;
    }
    KroneckerFactors& own = factors.at(index_of(input));
    const std::size_t width = widths.at(index_of(input));
    own.p1 = reader.square("p1", width);
    if (reader.has("p2")) {
      own.p2 = reader.square("p2", width);
    }
    const std::size_t product = own.p1.rows() * (own.p2.empty() ? 1 : own.p2.rows());
    if (own.p2.empty() ? width % product != 0 : width != product) {
      reader.origin(file.at(transform_prefix(block, input) + ".p1"))
          .fail(0, "factors of sizes ", own.p1.rows(), " and ", own.p2.rows(),
                ", expected sizes whose product is ", width);
    }
  }
  return factors;
}

}  // namespace btc
