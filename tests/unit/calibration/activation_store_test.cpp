#include "calibration/activation_store.hpp"

#include <gmock/gmock.h>

#include <bit>
#include <fstream>
#include <limits>
#include <numeric>

#include "common/error.hpp"
#include "common/half.hpp"
#include "common/hash.hpp"
#include "common/rng.hpp"
#include "io/atomic_file.hpp"
#include "io/hdf5_file.hpp"
#include "support/bf16_matrix.hpp"
#include "support/scratch.hpp"
#include "support/thrown_by.hpp"

namespace btc {
namespace {

using test::Scratch;
using test::thrown_by;
using ::testing::AllOf;
using ::testing::HasSubstr;

const ActivationHeader kHeader = {17, 5, 6, 40, "fingerprint of the unit"};
constexpr std::size_t kValues = 240;
/// The order in which `write_store` writes them, which is their order in the file.
constexpr std::size_t kWritten[] = {3, 0, 4, 1, 2};

Matrix<float> sequence_values(std::size_t sequence) {
  Rng rng(derive_seed(3, "sequence", sequence));
  Matrix<float> values(kHeader.tokens, kHeader.hidden);
  for (float& value : values.values()) {
    value = static_cast<float>(rng.normal());
  }
  round_to_bf16(values.view());
  return values;
}

std::filesystem::path write_store(const std::filesystem::path& directory) {
  std::filesystem::path path = directory / "block-00017.h5";
  ActivationWriter writer(path, kHeader);
  for (const std::size_t sequence : kWritten) {
    writer.write(sequence, sequence_values(sequence).view());
  }
  const std::size_t size = writer.commit();
  EXPECT_EQ(size, std::filesystem::file_size(path));
  return path;
}

/// What a file looks like that another program, or a later version of this one, wrote.
struct Variant {
  std::string schema = "btc.activations";
  std::string version = "1.0";
  std::string encoding = "bf16";
  std::int64_t block = 17;
  Hdf5Type type = Hdf5Type::kU16;
  std::vector<std::size_t> shape = {5, 6, 40};
  std::vector<std::size_t> chunk = {1, 6, 40};
  std::size_t rows = 5;       ///< that are written
  std::size_t checksums = 5;  ///< that are stored
};

std::filesystem::path write_variant(const std::filesystem::path& directory,
                                    const Variant& variant) {
  std::filesystem::path path = directory / "variant.h5";
  Hdf5File file = Hdf5File::create(path);
  file.set_attribute("/", "schema", variant.schema);
  file.set_attribute("/", "version", variant.version);
  file.set_attribute("/", "block", variant.block);
  file.set_attribute("/", "fingerprint", "x");
  file.create_dataset("/hidden", variant.type, variant.shape, {.chunk = variant.chunk});
  file.set_attribute("/hidden", "encoding", variant.encoding);
  if (variant.type == Hdf5Type::kU16) {
    const std::size_t count = std::accumulate(variant.shape.begin() + 1, variant.shape.end(),
                                              variant.rows, std::multiplies<>());
    file.write_rows<std::uint16_t>("/hidden", 0, variant.rows, std::vector<std::uint16_t>(count));
  }
  const std::vector<std::uint16_t> zeros(kValues);
  const std::vector<std::uint64_t> checksums(variant.checksums,
                                             xxh3_64(std::as_bytes(std::span(zeros))));
  file.write<std::uint64_t>("/xxh3", {checksums.size()}, checksums);
  file.commit();
  return path;
}

std::string refusal(const std::filesystem::path& path) {
  return thrown_by<FormatError>([&] { const ActivationReader reader(path); });
}

TEST(RoundToBf16, TakesTheNearestAndTiesToEven) {
  Matrix<float> values(1, 4);
  values.values() = {1.0F + 0x1p-8F, 1.0F + 0x3p-8F, -0.0F, 1.0F + 0x1.1p-8F};
  round_to_bf16(values.view());
  EXPECT_EQ(values.values(), (std::vector<float>{1.0F, 1.0F + 0x1p-6F, -0.0F, 1.0F + 0x1p-7F}));
  EXPECT_TRUE(std::signbit(values(0, 2)));
}

TEST(ActivationStore, GivesBackEverySequenceInAscendingOrder) {
  const Scratch scratch("store");
  const auto path = write_store(scratch.path());
  for (const std::size_t ring : {1U, 2U, 3U, 100U}) {
    ActivationReader reader(path, ring);
    for (std::size_t s = 0; s < kHeader.sequences; ++s) {
      EXPECT_EQ(reader.next(), sequence_values(s)) << "sequence " << s << ", ring " << ring;
    }
    EXPECT_THAT(thrown_by<Error>([&] { reader.next(); }), HasSubstr("all 5 sequences"));
  }
}

TEST(ActivationStore, GivesBackChosenSequencesInTheOrderAskedFor) {
  const Scratch scratch("store");
  const auto path = write_store(scratch.path());
  const std::vector<std::size_t> order = {4, 0, 4, 2};
  ActivationReader reader(path, order, 2);
  for (const std::size_t s : order) {
    EXPECT_EQ(reader.next(), sequence_values(s)) << "sequence " << s;
  }
  EXPECT_THROW(reader.next(), Error);
  EXPECT_THAT(thrown_by<Error>([&] { ActivationReader(path, std::vector<std::size_t>{5}); }),
              HasSubstr("sequence 5 of 5"));
}

TEST(ActivationStore, TakesAndGivesBackBitsAsItDoesValues) {
  const Scratch scratch("store");
  const auto path = write_store(scratch.path());
  const auto other = scratch.path() / "bits.h5";
  ActivationWriter writer(other, kHeader);
  Matrix<std::uint16_t> bits(kHeader.tokens, kHeader.hidden);
  ActivationReader reader(path, kWritten);
  for (const std::size_t s : kWritten) {
    reader.next(bits.view());
    EXPECT_EQ(bits, test::bf16_bits(sequence_values(s)));
    writer.write(s, bits.view());
  }
  writer.commit();
  EXPECT_EQ(sha256_file(other), sha256_file(path));
  Matrix<std::uint16_t> narrower(kHeader.tokens, kHeader.hidden - 1);
  ActivationReader again(path);
  EXPECT_THROW(again.next(narrower.view()), Error);
}

TEST(ActivationStore, KeepsItsHeader) {
  const Scratch scratch("store");
  const ActivationReader reader(write_store(scratch.path()));
  EXPECT_EQ(reader.header().block, 17);
  EXPECT_EQ(reader.header().sequences, 5U);
  EXPECT_EQ(reader.header().tokens, 6U);
  EXPECT_EQ(reader.header().hidden, 40U);
  EXPECT_EQ(reader.header().fingerprint, kHeader.fingerprint);
}

TEST(ActivationStore, KeepsExtremeValuesBitForBit) {
  const Scratch scratch("store");
  const auto path = scratch.path() / "a.h5";
  Matrix<float> values(1, 5);
  values.values() = {-0.0F, 0x1p-133F, bf16_to_float(0x7f7f), bf16_to_float(0xff7f), 0x1p-126F};
  ActivationWriter writer(path, {0, 1, 1, 5, ""});
  writer.write(0, values.view());
  writer.commit();
  const Matrix<float> read = ActivationReader(path).next();
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(read(0, i)), std::bit_cast<std::uint32_t>(values(0, i)));
  }
}

TEST(ActivationStore, TakesAndFillsViewsWithAStride) {
  const Scratch scratch("store");
  const auto path = scratch.path() / "a.h5";
  Matrix<float> wide(3, 10, 7.0F);
  const auto part = wide.view().columns(2, 6);
  for (std::size_t i = 0; i < 12; ++i) {
    part(i / 4, i % 4) = static_cast<float>(i);
  }
  ActivationWriter writer(path, {0, 1, 3, 4, ""});
  writer.write(0, part);
  writer.commit();
  Matrix<float> target(3, 10, 7.0F);
  ActivationReader reader(path);
  EXPECT_THROW(reader.next(target.view()), Error);
  reader.next(target.view().columns(2, 6));
  EXPECT_EQ(target, wide);
}

TEST(ActivationStore, HashStandsForTheContent) {
  const Scratch scratch("store");
  const auto path = write_store(scratch.path());
  const std::string hash = ActivationReader(path).content_hash();
  EXPECT_EQ(hash.size(), 16U);
  for (const bool changed : {false, true}) {
    ActivationWriter writer(scratch.path() / "other.h5", kHeader);
    for (std::size_t s = 0; s < kHeader.sequences; ++s) {
      Matrix<float> values = sequence_values(s);
      values(5, 39) += changed && s == 4 ? 64.0F : 0.0F;
      round_to_bf16(values.view());
      writer.write(s, values.view());
    }
    writer.commit();
    EXPECT_EQ(writer.content_hash() == hash, !changed);
    EXPECT_EQ(ActivationReader(scratch.path() / "other.h5").content_hash(), writer.content_hash());
  }
}

TEST(ActivationWriter, RefusesValuesThatAreNotFiniteByNameOfTheirPlace) {
  const Scratch scratch("store");
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    ActivationWriter writer(scratch.path() / "a.h5", kHeader);
    Matrix<float> values = sequence_values(2);
    values(5, 39) = bad;
    const auto names_the_place = AllOf(HasSubstr("block 17"), HasSubstr("sequence 2"),
                                       HasSubstr("token 5"), HasSubstr("column 39"));
    EXPECT_THAT(thrown_by<NumericError>([&] { writer.write(2, values.view()); }), names_the_place);
    const Matrix<std::uint16_t> bits = test::bf16_bits(values);
    EXPECT_THAT(thrown_by<NumericError>([&] { writer.write(2, bits.view()); }), names_the_place);
  }
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST(ActivationWriter, RefusesWhatWouldNotComeBackTheSame) {
  const Scratch scratch("store");
  ActivationWriter writer(scratch.path() / "a.h5", kHeader);
  Matrix<float> values = sequence_values(0);
  values(0, 0) = 1.0F + 0x1p-20F;
  EXPECT_THAT(thrown_by<Error>([&] { writer.write(0, values.view()); }), HasSubstr("not rounded"));
  EXPECT_THAT(thrown_by<Error>([&] { writer.write(0, Matrix<float>(6, 39).view()); }),
              AllOf(HasSubstr("[6, 39]"), HasSubstr("[6, 40]")));
  EXPECT_THROW(writer.write(5, sequence_values(0).view()), Error);
  writer.write(0, sequence_values(0).view());
  EXPECT_THAT(thrown_by<Error>([&] { writer.write(0, sequence_values(0).view()); }),
              HasSubstr("twice"));
  EXPECT_THROW(ActivationWriter(scratch.path() / "b.h5", {0, 0, 1, 1, ""}), Error);
}

TEST(ActivationWriter, DoesNotCommitWithoutEverySequence) {
  const Scratch scratch("store");
  {
    ActivationWriter writer(scratch.path() / "a.h5", kHeader);
    for (const std::size_t sequence : {0U, 1U, 2U, 4U}) {
      writer.write(sequence, sequence_values(sequence).view());
    }
    EXPECT_THAT(thrown_by<Error>([&] { writer.commit(); }), HasSubstr("sequence 3 of 5"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST(ActivationReader, NamesTheSequenceWhoseDataChanged) {
  const Scratch scratch("store");
  const auto path = write_store(scratch.path());
  const auto offsets = Hdf5File::open(path).chunk_offsets("/hidden", Hdf5Type::kU16);
  std::string bytes = test::read_bytes(path);
  bytes[offsets[3] + kValues * 2 - 1] ^= 1;
  test::write_bytes(path, bytes);
  ActivationReader reader(path);
  for (std::size_t s = 0; s < 3; ++s) {
    EXPECT_EQ(reader.next(), sequence_values(s));
  }
  for (int attempt = 0; attempt < 2; ++attempt) {
    EXPECT_THAT(thrown_by<FormatError>([&] { reader.next(); }),
                AllOf(HasSubstr("block-00017.h5"), HasSubstr("block 17"), HasSubstr("sequence 3"),
                      HasSubstr("XXH3-64")));
  }
}

TEST(ActivationReader, RefusesATruncatedFile) {
  const Scratch scratch("store");
  const auto path = write_store(scratch.path());
  const std::string bytes = test::read_bytes(path);
  for (std::size_t size = 0; size < bytes.size(); size += 97) {
    test::write_bytes(path, bytes.substr(0, size));
    EXPECT_THAT(refusal(path), HasSubstr("block-00017.h5")) << size;
  }
  test::write_bytes(path, bytes.substr(0, bytes.size() - 1));
  EXPECT_THAT(refusal(path), HasSubstr("block-00017.h5"));
  EXPECT_THROW(ActivationReader(scratch.path() / "absent.h5"), IoError);
}

TEST(ActivationReader, ReadsAnyMinorVersionAndNoOtherMajor) {
  const Scratch scratch("store");
  EXPECT_EQ(ActivationReader(write_variant(scratch.path(), {})).next(), Matrix<float>(6, 40));
  EXPECT_EQ(ActivationReader(write_variant(scratch.path(), {.version = "1.7"})).next(),
            Matrix<float>(6, 40));
  EXPECT_THAT(refusal(write_variant(scratch.path(), {.version = "2.0"})), HasSubstr("version 2.0"));
  EXPECT_THAT(refusal(write_variant(scratch.path(), {.version = "10.0"})), HasSubstr("10.0"));
}

TEST(ActivationReader, RefusesOtherSchemasTypesAndShapes) {
  const Scratch scratch("store");
  const auto refuse = [&](const Variant& variant) {
    return refusal(write_variant(scratch.path(), variant));
  };
  EXPECT_THAT(refuse({.schema = "btc.ppl"}),
              AllOf(HasSubstr("'btc.ppl'"), HasSubstr("'btc.activations'")));
  EXPECT_THAT(refuse({.encoding = "fp16"}), AllOf(HasSubstr("'fp16'"), HasSubstr("'bf16'")));
  EXPECT_THAT(refuse({.block = -1}), HasSubstr("block -1"));
  EXPECT_THAT(refuse({.type = Hdf5Type::kF32}), HasSubstr("u16"));
  EXPECT_THAT(refuse({.shape = {5, 240}, .chunk = {1, 240}}), HasSubstr("rank 2"));
  EXPECT_THAT(refuse({.chunk = {1, 6, 20}}), HasSubstr("chunked"));
  EXPECT_THAT(refuse({.chunk = {5, 6, 40}}), HasSubstr("expected one each"));
  EXPECT_THAT(refuse({.rows = 4}), HasSubstr("row 4 was never written"));
  EXPECT_THAT(refuse({.checksums = 4}), HasSubstr("4 checksums for 5 sequences"));
  test::write_bytes(scratch.path() / "text.h5", "not HDF5");
  EXPECT_THAT(refusal(scratch.path() / "text.h5"), HasSubstr("text.h5"));
}

TEST(ActivationReader, MayBeDroppedAtAnyTime) {
  const Scratch scratch("store");
  const auto path = write_store(scratch.path());
  for (const std::size_t ring : {1U, 2U, 5U}) {
    for (std::size_t read = 0; read <= kHeader.sequences; ++read) {
      ActivationReader reader(path, ring);
      for (std::size_t s = 0; s < read; ++s) {
        reader.next();
      }
    }
  }
}

TEST(ActivationReader, AFileCutWhileReadingEndsInAnErrorNotAHang) {
  const Scratch scratch("store");
  const auto path = write_store(scratch.path());
  const auto offsets = Hdf5File::open(path).chunk_offsets("/hidden", Hdf5Type::kU16);
  ActivationReader reader(path, 1);
  // With one slot the thread waits behind sequence 0 until that is taken. Sequences lie in the
  // order in which they were written: 3, 0, 4, 1, 2.
  std::filesystem::resize_file(path, offsets[1] + 10);
  EXPECT_THAT(thrown_by<FormatError>([&] {
                reader.next();
                reader.next();
              }),
              HasSubstr("ends at byte"));
  EXPECT_THROW(reader.next(), FormatError);
}

}  // namespace
}  // namespace btc
