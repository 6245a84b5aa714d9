#include "io/hdf5_file.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <numeric>
#include <thread>

#include "common/error.hpp"
#include "io/atomic_file.hpp"
#include "support/scratch.hpp"
#include "support/thrown_by.hpp"

namespace btc {
namespace {

using test::Scratch;
using test::thrown_by;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::uint16_t> numbers(std::size_t count) {
  std::vector<std::uint16_t> values(count);
  std::iota(values.begin(), values.end(), std::uint16_t{1});
  return values;
}

std::size_t files_in(const std::filesystem::path& directory) {
  const std::filesystem::directory_iterator first(directory);
  return static_cast<std::size_t>(std::distance(begin(first), end(first)));
}

/// A file with one dataset /hidden [4, 3, 5], one row per chunk.
void write_chunked(const std::filesystem::path& path) {
  Hdf5File file = Hdf5File::create(path);
  file.set_attribute("/", "schema", "btc.test");
  file.create_dataset("/hidden", Hdf5Type::kU16, {4, 3, 5}, {.chunk = {1, 3, 5}});
  file.write_rows<std::uint16_t>("/hidden", 0, 4, numbers(60));
  file.commit();
}

TEST(Hdf5File, HasEqualBytesWheneverItIsWritten) {
  const Scratch scratch("hdf5");
  const auto write = [&](const std::string& name) {
    Hdf5File file = Hdf5File::create(scratch.path() / name);
    file.create_dataset("/deep/er/x", Hdf5Type::kU16, {4, 3, 5}, {.chunk = {1, 3, 5}});
    file.write_rows<std::uint16_t>("/deep/er/x", 0, 4, numbers(60));
    file.set_attribute("/deep/er/x", "name", "value");
    file.commit();
  };
  write("a");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // times would be in seconds
  write("b");
  EXPECT_TRUE(test::read_bytes(scratch.path() / "a") == test::read_bytes(scratch.path() / "b"));
}

TEST(Hdf5File, GivesBackEveryTypeAndShape) {
  const Scratch scratch("hdf5");
  const auto path = scratch.path() / "new" / "a.h5";
  const std::vector<std::uint8_t> u8 = {0, 255};
  const std::vector<std::uint64_t> u64 = {std::numeric_limits<std::uint64_t>::max()};
  const std::vector<std::int32_t> i32 = {-7, 8, std::numeric_limits<std::int32_t>::min(), 1};
  const std::vector<float> f32 = {-0.5F, 3e38F, 1e-45F};
  const std::vector<double> f64 = {0.1};
  Hdf5File out = Hdf5File::create(path);
  out.write<std::uint8_t>("/u8", {2}, u8);
  out.write<std::uint64_t>("/deep/er/u64", {1, 1}, u64);
  out.write<std::int32_t>("/i32", {2, 2}, i32);
  out.write<float>("/f32", {3, 1, 1}, f32);
  out.write<double>("/scalar", {}, f64);
  out.write<double>("/empty", {0, 7}, {});
  const std::size_t bytes = out.commit();
  EXPECT_EQ(bytes, std::filesystem::file_size(path));

  const Hdf5File in = Hdf5File::open(path);
  EXPECT_EQ(in.read<std::uint8_t>("/u8"), u8);
  EXPECT_EQ(in.read<std::uint64_t>("/deep/er/u64"), u64);
  EXPECT_EQ(in.read<std::int32_t>("/i32"), i32);
  EXPECT_EQ(in.read<float>("/f32"), f32);
  EXPECT_EQ(in.read<double>("/scalar"), f64);
  EXPECT_THAT(in.read<double>("/empty"), IsEmpty());
  EXPECT_THAT(in.shape("/i32"), ElementsAre(2, 2));
  EXPECT_THAT(in.shape("/scalar"), IsEmpty());
  EXPECT_THAT(in.children("/"), ElementsAre("deep", "empty", "f32", "i32", "scalar", "u8"));
  EXPECT_THAT(in.children("/deep"), ElementsAre("er"));
  EXPECT_TRUE(in.has("/deep/er/u64"));
  EXPECT_TRUE(in.has("/"));
  EXPECT_FALSE(in.has("/deep/no/u64"));
  EXPECT_FALSE(in.has("/no"));
}

TEST(Hdf5File, KeepsAttributesOfRootAndDatasets) {
  const Scratch scratch("hdf5");
  const auto path = scratch.path() / "a.h5";
  Hdf5File out = Hdf5File::create(path);
  out.write<float>("/w", {1}, std::vector<float>{1});
  out.set_attribute("/", "schema", "btc.test");
  out.set_attribute("/", "empty", "");
  out.set_attribute("/w", "encoding", "bf16 \xc3\xa9");
  out.set_attribute("/", "block", std::int64_t{-3000000000});
  out.set_attribute("/w", "loss", 0.1);
  out.commit();
  const Hdf5File in = Hdf5File::open(path);
  EXPECT_EQ(in.text_attribute("/", "schema"), "btc.test");
  EXPECT_EQ(in.text_attribute("/", "empty"), "");
  EXPECT_EQ(in.text_attribute("/w", "encoding"), "bf16 \xc3\xa9");
  EXPECT_EQ(in.int_attribute("/", "block"), -3000000000);
  EXPECT_EQ(in.real_attribute("/w", "loss"), 0.1);
  EXPECT_THAT(thrown_by<FormatError>([&] { (void)in.int_attribute("/", "version"); }),
              AllOf(HasSubstr("a.h5"), HasSubstr("version is missing")));
  EXPECT_THAT(thrown_by<FormatError>([&] { (void)in.int_attribute("/", "schema"); }),
              HasSubstr("not one integer"));
  EXPECT_THAT(thrown_by<FormatError>([&] { (void)in.text_attribute("/none", "x"); }),
              HasSubstr("/none"));
}

TEST(Hdf5File, IsInvisibleUntilCommitAndLeavesNothingWithout) {
  const Scratch scratch("hdf5");
  const auto path = scratch.path() / "a.h5";
  {
    Hdf5File file = Hdf5File::create(path);
    file.write<float>("/w", {1}, std::vector<float>{1});
    EXPECT_FALSE(std::filesystem::exists(path));
    EXPECT_TRUE(std::filesystem::exists(temporary_path(path)));
  }
  EXPECT_EQ(files_in(scratch.path()), 0U);
  write_chunked(path);
  EXPECT_EQ(files_in(scratch.path()), 1U);
}

TEST(Hdf5File, WritesAndReadsRows) {
  const Scratch scratch("hdf5");
  const auto path = scratch.path() / "a.h5";
  Hdf5File out = Hdf5File::create(path);
  out.create_dataset("/hidden", Hdf5Type::kU16, {4, 3, 5}, {.chunk = {1, 3, 5}});
  const auto values = numbers(60);
  const std::span<const std::uint16_t> all(values);
  out.write_rows("/hidden", 2, 2, all.subspan(30));
  out.write_rows("/hidden", 0, 2, all.first(30));
  out.commit();
  const Hdf5File in = Hdf5File::open(path);
  EXPECT_EQ(in.read<std::uint16_t>("/hidden"), values);
  std::vector<std::uint16_t> row(15);
  in.read_rows<std::uint16_t>("/hidden", 3, 1, row);
  EXPECT_TRUE(std::equal(row.begin(), row.end(), values.begin() + 45));
  EXPECT_THROW(in.read_rows<std::uint16_t>("/hidden", 3, 2, row), Error);
  EXPECT_THROW(in.read_rows<std::uint16_t>("/hidden", 0, 2, row), Error);
}

TEST(Hdf5File, TellsWhereChunksLie) {
  const Scratch scratch("hdf5");
  const auto path = scratch.path() / "a.h5";
  write_chunked(path);
  const auto offsets = Hdf5File::open(path).chunk_offsets("/hidden", Hdf5Type::kU16);
  ASSERT_THAT(offsets, SizeIs(4));
  const std::string bytes = test::read_bytes(path);
  const auto values = numbers(60);
  for (std::size_t row = 0; row < 4; ++row) {
    EXPECT_EQ(std::memcmp(bytes.data() + offsets[row], values.data() + row * 15, 30), 0) << row;
  }
}

TEST(Hdf5File, LargeChunksBeginOnPages) {
  const Scratch scratch("hdf5");
  const auto path = scratch.path() / "a.h5";
  constexpr std::size_t kRow = std::size_t{1} << 20U;
  Hdf5File out = Hdf5File::create(path);
  out.create_dataset("/x", Hdf5Type::kU16, {3, kRow}, {.chunk = {1, kRow}});
  for (std::size_t row = 0; row < 3; ++row) {
    out.write_rows<std::uint16_t>("/x", row, 1, numbers(kRow));
  }
  EXPECT_LT(out.commit(), 3 * (kRow * 2 + 8192) + 65536);
  for (const std::uint64_t offset : Hdf5File::open(path).chunk_offsets("/x", Hdf5Type::kU16)) {
    EXPECT_EQ(offset % 4096, 0U);
  }
}

TEST(Hdf5File, RefusesChunksThatAreMissingOrOtherwiseCut) {
  const Scratch scratch("hdf5");
  const auto path = scratch.path() / "a.h5";
  Hdf5File out = Hdf5File::create(path);
  out.create_dataset("/gap", Hdf5Type::kU16, {4, 5}, {.chunk = {1, 5}});
  out.write_rows<std::uint16_t>("/gap", 0, 1, numbers(5));
  out.create_dataset("/tiles", Hdf5Type::kU16, {2, 6}, {.chunk = {1, 3}});
  out.write_rows<std::uint16_t>("/tiles", 0, 2, numbers(12));
  out.write<std::uint16_t>("/plain", {2, 6}, numbers(12));
  out.commit();
  const Hdf5File in = Hdf5File::open(path);
  EXPECT_THAT(thrown_by<FormatError>([&] { (void)in.chunk_offsets("/gap", Hdf5Type::kU16); }),
              HasSubstr("row 1 was never written"));
  EXPECT_THROW((void)in.chunk_offsets("/gap", Hdf5Type::kI32), FormatError);
  EXPECT_THROW((void)in.chunk_offsets("/tiles", Hdf5Type::kU16), FormatError);
  EXPECT_THROW((void)in.chunk_offsets("/plain", Hdf5Type::kU16), FormatError);
}

TEST(Hdf5File, NamesFileObjectAndTypesWhenTheyDiffer) {
  const Scratch scratch("hdf5");
  const auto path = scratch.path() / "a.h5";
  write_chunked(path);
  const Hdf5File in = Hdf5File::open(path);
  EXPECT_THAT(
      thrown_by<FormatError>([&] { (void)in.read<float>("/hidden"); }),
      AllOf(HasSubstr("a.h5"), HasSubstr("/hidden"), HasSubstr("f32"), HasSubstr("2 bytes")));
  EXPECT_THAT(thrown_by<FormatError>([&] { (void)in.read<float>("/none"); }),
              AllOf(HasSubstr("a.h5"), HasSubstr("/none"), HasSubstr("H5Dopen2")));
  EXPECT_THROW((void)in.shape("/none"), FormatError);
}

TEST(Hdf5File, AbsentFileAndDirectoryAreIoErrors) {
  const Scratch scratch("hdf5");
  EXPECT_THAT(thrown_by<IoError>([&] { Hdf5File::open(scratch.path() / "none.h5"); }),
              AllOf(HasSubstr("none.h5"), HasSubstr("No such file")));
  EXPECT_THROW(Hdf5File::open(scratch.path()), IoError);
}

TEST(Hdf5File, RefusesEveryTruncationTrailingBytesAndOtherFiles) {
  const Scratch scratch("hdf5");
  const auto path = scratch.path() / "a.h5";
  write_chunked(path);
  const std::string bytes = test::read_bytes(path);
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{48}, bytes.size() / 2,
                                 bytes.size() - 4, bytes.size() - 1}) {
    test::write_bytes(path, bytes.substr(0, size));
    EXPECT_THAT(thrown_by<FormatError>([&] { Hdf5File::open(path); }), HasSubstr("a.h5")) << size;
  }
  test::write_bytes(path, bytes + "x");
  EXPECT_THAT(thrown_by<FormatError>([&] { Hdf5File::open(path); }),
              HasSubstr(concat(bytes.size() + 1, " bytes")));
  test::write_bytes(path, std::string(4096, 'x'));
  EXPECT_THROW(Hdf5File::open(path), FormatError);
}

/// Whether the damage of one byte at `at` is noticed; content other than the true one fails the
/// test.
bool is_flip_noticed(const std::filesystem::path& path, const std::string& bytes, std::size_t at) {
  std::string damaged = bytes;
  damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
  test::write_bytes(path, damaged);
  try {
    const Hdf5File in = Hdf5File::open(path);
    EXPECT_EQ(in.text_attribute("/", "schema"), "btc.test") << "byte " << at;
    EXPECT_EQ(in.read<std::uint16_t>("/hidden"), numbers(60)) << "byte " << at;
    return false;
  } catch (const FormatError&) {
    return true;
  }
}

TEST(Hdf5File, AFlippedByteIsAnErrorOrLiesInUnusedSpace) {
  const Scratch scratch("hdf5");
  const auto path = scratch.path() / "a.h5";
  write_chunked(path);
  const std::string bytes = test::read_bytes(path);
  for (const std::uint64_t chunk : Hdf5File::open(path).chunk_offsets("/hidden", Hdf5Type::kU16)) {
    EXPECT_TRUE(is_flip_noticed(path, bytes, chunk + 3)) << "fletcher32 is not in use";
  }
  for (std::size_t at = 0; at < 48; ++at) {
    EXPECT_TRUE(is_flip_noticed(path, bytes, at)) << "superblock, byte " << at;
  }
  constexpr std::size_t kStep = 11;  // each byte takes half a millisecond
  for (std::size_t at = 48; at < bytes.size(); at += kStep) {
    is_flip_noticed(path, bytes, at);
  }
}

TEST(Hdf5File, UnwritableDirectoryIsAnIoErrorNamingIt) {
  const Scratch scratch("hdf5");
  test::write_bytes(scratch.path() / "plain", "");
  EXPECT_THAT(thrown_by<IoError>([&] { Hdf5File::create(scratch.path() / "plain" / "a.h5"); }),
              AllOf(HasSubstr("plain"), HasSubstr("directory")));
}

TEST(Hdf5File, CannotBeWrittenAfterCommitOrWhileReading) {
  const Scratch scratch("hdf5");
  const auto path = scratch.path() / "a.h5";
  Hdf5File out = Hdf5File::create(path);
  out.commit();
  EXPECT_THROW(out.set_attribute("/", "a", "b"), Error);
  EXPECT_THROW(out.commit(), Error);
  Hdf5File in = Hdf5File::open(path);
  EXPECT_THROW(in.set_attribute("/", "a", "b"), Error);
}

}  // namespace
}  // namespace btc
