#include "calibration/activation_store.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>

#include "calibration/activation_format.hpp"
#include "calibration/chunk_ring.hpp"
#include "common/error.hpp"
#include "common/half.hpp"
#include "io/hdf5_file.hpp"

namespace btc {
namespace {

void check_text(const Hdf5File& file, const std::filesystem::path& path, std::string_view object,
                std::string_view name, std::string_view expected) {
  const std::string found = file.text_attribute(object, name);
  BTC_REQUIRE(FormatError, found == expected, path.string(), ": ", name, " '", found,
              "', expected '", expected, "'");
}

void check_version(const Hdf5File& file, const std::filesystem::path& path) {
  const std::string found = file.text_attribute("/", "version");
  BTC_REQUIRE(FormatError, found.substr(0, found.find('.')) == kActivationVersion.substr(0, 1),
              path.string(), ": version ", found, ", but only ", kActivationVersion.substr(0, 1),
              ".x can be read");
}

ActivationHeader read_header(const Hdf5File& file, const std::filesystem::path& path) {
  check_text(file, path, "/", "schema", kActivationSchema);
  check_version(file, path);
  check_text(file, path, kHiddenDataset, "encoding", kActivationEncoding);
  const std::int64_t block = file.int_attribute("/", "block");
  BTC_REQUIRE(FormatError, block >= 0 && block <= std::numeric_limits<int>::max(), path.string(),
              ": block ", block);
  const auto shape = file.shape(kHiddenDataset);
  BTC_REQUIRE(FormatError,
              shape.size() == 3 && std::find(shape.begin(), shape.end(), 0U) == shape.end(),
              path.string(), ": ", kHiddenDataset, " has rank ", shape.size(),
              ", expected [sequences, tokens, hidden], none of them 0");
  return {static_cast<int>(block), shape[0], shape[1], shape[2],
          file.text_attribute("/", "fingerprint")};
}

}  // namespace

void round_to_bf16(MatrixView<float> values) {
  for (std::size_t i = 0; i < values.rows(); ++i) {
    for (float& value : values.row(i)) {
      value = bf16_to_float(float_to_bf16(value));
    }
  }
}

struct ActivationWriter::State {
  State(const std::filesystem::path& path, const ActivationHeader& header_of_file)
      : header(header_of_file), sequences(path, header), file(Hdf5File::create(path)) {}

  ActivationHeader header;
  SequencePacker sequences;
  Hdf5File file;
};

ActivationWriter::ActivationWriter(const std::filesystem::path& path,
                                   const ActivationHeader& header)
    : state_(std::make_unique<State>(path, header)) {
  Hdf5File& file = state_->file;
  file.create_dataset(kHiddenDataset, Hdf5Type::kU16,
                      {header.sequences, header.tokens, header.hidden},
                      {.chunk = {1, header.tokens, header.hidden}});
  write_header(file, header);
}

ActivationWriter::~ActivationWriter() = default;

void ActivationWriter::write(std::size_t sequence, MatrixView<const float> hidden) {
  state_->file.write_rows(kHiddenDataset, sequence, 1, state_->sequences.pack(sequence, hidden));
}

void ActivationWriter::write(std::size_t sequence, MatrixView<const std::uint16_t> bits) {
  state_->file.write_rows(kHiddenDataset, sequence, 1, state_->sequences.pack(sequence, bits));
}

std::size_t ActivationWriter::commit() {
  state_->sequences.check_complete();
  const auto& checksums = state_->sequences.checksums();
  state_->file.write<std::uint64_t>(kChecksumDataset, {checksums.size()}, checksums);
  return state_->file.commit();
}

std::string ActivationWriter::content_hash() const {
  return hash_of_checksums(state_->sequences.checksums());
}

struct ActivationReader::State {
  ActivationHeader header;
  std::string hash;
  std::unique_ptr<ChunkRing> ring;
};

namespace {

/// What is checked when a file is opened; the ring is not started yet.
struct OpenedStore {
  ActivationHeader header;
  std::string hash;
  ChunkRing::Source chunks;
};

OpenedStore open_store(const std::filesystem::path& path) {
  const Hdf5File file = Hdf5File::open(path);
  const ActivationHeader header = read_header(file, path);
  // This checks that the chunks have the expected size and lie inside the file.
  auto offsets = file.chunk_offsets(kHiddenDataset, Hdf5Type::kU16);
  BTC_REQUIRE(FormatError, offsets.size() == header.sequences, path.string(), ": ",
              header.sequences, " sequences in ", offsets.size(), " chunks, expected one each");
  auto checksums = file.read<std::uint64_t>(kChecksumDataset);
  BTC_REQUIRE(FormatError, checksums.size() == header.sequences, path.string(), ": ",
              checksums.size(), " checksums for ", header.sequences, " sequences");
  std::vector<std::size_t> sequences(header.sequences);
  std::iota(sequences.begin(), sequences.end(), std::size_t{0});
  std::string hash = hash_of_checksums(checksums);
  return {header,
          std::move(hash),
          {path, header.block, header.tokens * header.hidden, std::move(offsets),
           std::move(checksums), std::move(sequences)}};
}

/// Consumes the next sequence row by row. @param copy_row(bits, row of `to`)
template <typename T, typename CopyRow>
void consume_rows(ChunkRing& ring, const ActivationHeader& header, MatrixView<T> to,
                  const CopyRow& copy_row) {
  BTC_CHECK(to.rows() == header.tokens && to.cols() == header.hidden, "matrix of [", to.rows(),
            ", ", to.cols(), "], expected [", header.tokens, ", ", header.hidden, "]");
  ring.consume([&](std::span<const std::uint16_t> bits) {
    for (std::size_t t = 0; t < header.tokens; ++t) {
      copy_row(bits.subspan(t * header.hidden, header.hidden), to.row(t));
    }
  });
}

}  // namespace

ActivationReader::ActivationReader(const std::filesystem::path& path, std::size_t ring)
    : state_(std::make_unique<State>()) {
  OpenedStore store = open_store(path);
  state_->header = std::move(store.header);
  state_->hash = std::move(store.hash);
  state_->ring = std::make_unique<ChunkRing>(std::move(store.chunks), ring);
}

ActivationReader::ActivationReader(const std::filesystem::path& path,
                                   std::span<const std::size_t> order, std::size_t ring)
    : state_(std::make_unique<State>()) {
  OpenedStore store = open_store(path);
  ChunkRing::Source chosen = store.chunks;
  chosen.offsets.clear();
  chosen.checksums.clear();
  chosen.sequences.assign(order.begin(), order.end());
  for (const std::size_t sequence : order) {
    BTC_CHECK(sequence < store.header.sequences, path.string(), ": sequence ", sequence, " of ",
              store.header.sequences);
    chosen.offsets.push_back(store.chunks.offsets[sequence]);
    chosen.checksums.push_back(store.chunks.checksums[sequence]);
  }
  state_->header = std::move(store.header);
  state_->hash = std::move(store.hash);
  state_->ring = std::make_unique<ChunkRing>(std::move(chosen), ring);
}

ActivationReader::~ActivationReader() = default;

const ActivationHeader& ActivationReader::header() const { return state_->header; }

Matrix<float> ActivationReader::next() {
  Matrix<float> hidden(state_->header.tokens, state_->header.hidden);
  next(hidden.view());
  return hidden;
}

void ActivationReader::next(MatrixView<float> hidden) {
  consume_rows(*state_->ring, state_->header, hidden,
               [](std::span<const std::uint16_t> from, std::span<float> to) {
                 for (std::size_t i = 0; i < to.size(); ++i) {
                   to[i] = bf16_to_float(from[i]);
                 }
               });
}

void ActivationReader::next(MatrixView<std::uint16_t> bits) {
  consume_rows(*state_->ring, state_->header, bits,
               [](std::span<const std::uint16_t> from, std::span<std::uint16_t> to) {
                 std::copy(from.begin(), from.end(), to.begin());
               });
}

std::string ActivationReader::content_hash() const { return state_->hash; }

}  // namespace btc
