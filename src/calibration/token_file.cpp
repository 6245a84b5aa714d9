#include <algorithm>
#include <span>

#include "calibration/tokens.hpp"
#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/version.hpp"
#include "io/format_version.hpp"
#include "io/hdf5_file.hpp"

namespace btc {

namespace {

constexpr std::string_view kVersion = "1.0";
constexpr std::string_view kTextSchema = "btc.ppl";
constexpr std::string_view kSequenceSchema = "btc.calibration";
constexpr std::string_view kTextIds = "/text/ids";
constexpr std::string_view kSequenceIds = "/ids";

std::string hash_of(std::span<const std::int32_t> ids) {
  Sha256 sha;
  sha.update(std::as_bytes(ids));
  return sha.finish();
}

void write_root(Hdf5File& file, std::string_view schema, std::size_t vocab_size,
                std::int64_t bos_id, std::span<const std::int32_t> ids) {
  file.set_attribute("/", "schema", schema);
  file.set_attribute("/", "version", kVersion);
  file.set_attribute("/", "vocab_size", narrow<std::int64_t>(vocab_size));
  file.set_attribute("/", "bos_id", bos_id);
  file.set_attribute("/", "producer", concat("btc_pipeline ", version()));
  file.set_attribute("/", "content_sha256", hash_of(ids));
}

std::size_t size_attribute(const Hdf5File& file, std::string_view object, std::string_view name,
                           const std::string& origin) {
  const std::int64_t value = file.int_attribute(object, name);
  BTC_REQUIRE(FormatError, value >= 0, origin, ": ", object, ": attribute ", name, " is ", value,
              ", expected 0 or more");
  return static_cast<std::size_t>(value);
}

TokenizedText read_text(const Hdf5File& file, const std::string& origin) {
  TokenizedText text;
  BTC_REQUIRE(FormatError, file.shape(kTextIds).size() == 1, origin, ": ", kTextIds,
              ": expected one dimension");
  text.ids = file.read<std::int32_t>(kTextIds);
  text.add_bos = file.int_attribute(kTextIds, "add_bos") != 0;
  text.join = file.text_attribute(kTextIds, "join");
  text.rows = size_attribute(file, kTextIds, "n_rows", origin);
  text.text_bytes = size_attribute(file, kTextIds, "text_bytes", origin);
  text.text_sha256 = file.text_attribute(kTextIds, "text_sha256");
  text.tokenizer_sha256 = file.text_attribute("/", "tokenizer_sha256");
  text.vocab_size = size_attribute(file, "/", "vocab_size", origin);
  return text;
}

Matrix<std::int32_t> read_sequence_matrix(const Hdf5File& file, const std::string& origin) {
  const std::vector<std::size_t> shape = file.shape(kSequenceIds);
  BTC_REQUIRE(FormatError, shape.size() == 2, origin, ": ", kSequenceIds, ": ", shape.size(),
              " dimensions, expected 2");
  Matrix<std::int32_t> sequences(shape[0], shape[1]);
  file.read_rows<std::int32_t>(kSequenceIds, 0, shape[0], sequences.values());
  return sequences;
}

}  // namespace

void check_ids(std::span<const std::int32_t> ids, std::size_t vocab_size,
               const std::string& origin) {
  BTC_REQUIRE(FormatError, !ids.empty(), origin, ": holds no ids");
  const auto bad = std::find_if(ids.begin(), ids.end(), [&](std::int32_t id) {
    return id < 0 || std::cmp_greater_equal(id, vocab_size);
  });
  BTC_REQUIRE(InputError, bad == ids.end(), origin, ": id ", *bad, " at position ",
              bad - ids.begin(), ", expected 0 to ", vocab_size - 1,
              ": were they made for another model?");
}

void write_token_file(const std::filesystem::path& path, const TokenizedText& text) {
  BTC_CHECK(!text.ids.empty(), path.string(), ": no ids to write");
  Hdf5File file = Hdf5File::create(path);
  write_root(file, kTextSchema, text.vocab_size, text.add_bos ? text.ids.front() : -1, text.ids);
  file.set_attribute("/", "tokenizer_sha256", text.tokenizer_sha256);
  file.write<std::int32_t>(kTextIds, {text.ids.size()}, text.ids);
  file.set_attribute(kTextIds, "join", text.join);
  file.set_attribute(kTextIds, "n_rows", narrow<std::int64_t>(text.rows));
  file.set_attribute(kTextIds, "text_bytes", narrow<std::int64_t>(text.text_bytes));
  file.set_attribute(kTextIds, "text_sha256", text.text_sha256);
  file.set_attribute(kTextIds, "add_bos", std::int64_t{text.add_bos ? 1 : 0});
  const auto expected = expected_ids(text);
  file.set_attribute(kTextIds, "expected_n", expected ? narrow<std::int64_t>(*expected) : -1);
  file.commit();
}

void write_sequences(const std::filesystem::path& path, const Matrix<std::int32_t>& sequences,
                     std::size_t vocab_size, const std::string& source) {
  BTC_CHECK(!sequences.empty(), path.string(), ": no sequences to write");
  Hdf5File file = Hdf5File::create(path);
  write_root(file, kSequenceSchema, vocab_size, -1, sequences.values());
  file.write<std::int32_t>(kSequenceIds, {sequences.rows(), sequences.cols()}, sequences.values());
  file.set_attribute(kSequenceIds, "source", source);
  file.commit();
}

TokenFile read_token_file(const std::filesystem::path& path, std::size_t vocab_size) {
  const std::string origin = path.string();
  const Hdf5File file = Hdf5File::open(path);
  const std::string schema = file.text_attribute("/", "schema");
  BTC_REQUIRE(FormatError, schema == kTextSchema || schema == kSequenceSchema, origin, ": schema '",
              schema, "', expected ", kTextSchema, " or ", kSequenceSchema);
  check_version(file.text_attribute("/", "version"), kVersion, origin);
  TokenFile result;
  std::span<const std::int32_t> ids;
  if (schema == kTextSchema) {
    result.text = read_text(file, origin);
    ids = result.text->ids;
  } else {
    result.sequences = read_sequence_matrix(file, origin);
    ids = result.sequences->values();
  }
  result.content_sha256 = file.text_attribute("/", "content_sha256");
  const std::string found = hash_of(ids);
  BTC_REQUIRE(FormatError, found == result.content_sha256, origin, ": the ids have SHA-256 ", found,
              ", expected ", result.content_sha256, ": the file is damaged");
  check_ids(ids, vocab_size, origin);
  return result;
}

}  // namespace btc
