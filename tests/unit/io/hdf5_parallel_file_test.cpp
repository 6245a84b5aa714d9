#include "io/hdf5_parallel_file.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "comm/agree.hpp"
#include "common/error.hpp"
#include "io/atomic_file.hpp"
#include "support/scratch.hpp"
#include "support/shared_scratch.hpp"

namespace btc {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kRows = 7;
constexpr std::size_t kRowLength = 600;

std::vector<std::uint16_t> row_values(std::size_t row) {
  std::vector<std::uint16_t> values(kRowLength);
  for (std::size_t i = 0; i < kRowLength; ++i) {
    values[i] = static_cast<std::uint16_t>(row * 1000 + i);
  }
  return values;
}

TEST(Hdf5ParallelFile, RanksWriteTheirRowsCollectively) {
  const Communicator world = Communicator::world();
  const test::SharedScratch scratch("parallel");
  const auto path = scratch.path() / "new" / "block-00003.h5";
  const auto ranks = static_cast<std::size_t>(world.size());
  const std::size_t rounds = (kRows + ranks - 1) / ranks;
  std::size_t size = 0;
  {
    Hdf5ParallelFile file(world, path);
    file.set_attribute("/", "schema", "btc.test");
    file.create_dataset("/group/hidden", Hdf5Type::kU16, {kRows, 2, kRowLength / 2});
    file.set_attribute("/group/hidden", "block", 3);
    // Rows are dealt in turn, so that the last round leaves some ranks without one.
    for (std::size_t round = 0; round < rounds; ++round) {
      const std::size_t row = round * ranks + static_cast<std::size_t>(world.rank());
      const bool mine = row < kRows;
      const auto values = mine ? row_values(row) : std::vector<std::uint16_t>();
      file.write_rows<std::uint16_t>("/group/hidden", mine ? row : 0, mine ? 1 : 0, values);
    }
    EXPECT_EQ(file.collective_writes(), rounds);
    agree(world, "looking",
          [&] { BTC_REQUIRE(Error, !std::filesystem::exists(path), "visible before commit"); });
    size = file.commit();
  }
  const Hdf5File in = Hdf5File::open(path);
  EXPECT_EQ(size, std::filesystem::file_size(path));
  EXPECT_EQ(in.text_attribute("/", "schema"), "btc.test");
  EXPECT_EQ(in.int_attribute("/group/hidden", "block"), 3);
  const auto all = in.read<std::uint16_t>("/group/hidden");
  ASSERT_EQ(all.size(), kRows * kRowLength);
  for (std::size_t row = 0; row < kRows; ++row) {
    const auto expected = row_values(row);
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(),
                           all.begin() + static_cast<std::ptrdiff_t>(row * kRowLength)))
        << "row " << row;
  }
  EXPECT_EQ(in.chunk_offsets("/group/hidden", Hdf5Type::kU16).size(), kRows)
      << "one chunk per row, fletcher32";
}

TEST(Hdf5ParallelFile, OneThrowingRankEndsAllCleanly) {
  const Communicator world = Communicator::world();
  const test::SharedScratch scratch("parallel");
  const auto path = scratch.path() / "a.h5";
  const int thrower = world.size() - 1;
  try {
    Hdf5ParallelFile file(world, path);
    file.create_dataset("/x", Hdf5Type::kU16, {kRows, kRowLength});
    agree(world, "computing",
          [&] { BTC_REQUIRE(NumericError, world.rank() != thrower, "sequence 5 is not finite"); });
    ADD_FAILURE() << "did not throw";
  } catch (const StageFailed& failed) {
    EXPECT_THAT(failed.what(), HasSubstr("sequence 5 is not finite"));
  }
  world.barrier();
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path())) << "the temporary file is left";
}

TEST(Hdf5ParallelFile, ARankWithWrongRowsFailsAllAndTheFileGoesOn) {
  const Communicator world = Communicator::world();
  const test::SharedScratch scratch("parallel");
  const auto path = scratch.path() / "a.h5";
  Hdf5ParallelFile file(world, path);
  file.create_dataset("/x", Hdf5Type::kU16, {kRows, kRowLength});
  const bool wrong = world.rank() == world.size() - 1;
  EXPECT_THROW(file.write_rows<std::uint16_t>("/x", wrong ? kRows : 0, wrong ? 1 : 0,
                                              wrong ? row_values(0) : std::vector<std::uint16_t>()),
               StageFailed);
  EXPECT_EQ(file.collective_writes(), 0U);
  const bool first = world.rank() == 0;
  file.write_rows<std::uint16_t>("/x", 0, first ? 1 : 0,
                                 first ? row_values(0) : std::vector<std::uint16_t>());
  EXPECT_EQ(file.collective_writes(), 1U);
}

TEST(Hdf5ParallelFile, UnwritableDirectoryFailsOnEveryRank) {
  const Communicator world = Communicator::world();
  const test::SharedScratch scratch("parallel");
  if (world.rank() == 0) {
    test::write_bytes(scratch.path() / "plain", "");
  }
  world.barrier();
  try {
    const Hdf5ParallelFile file(world, scratch.path() / "plain" / "a.h5");
    ADD_FAILURE() << "did not throw";
  } catch (const StageFailed& failed) {
    EXPECT_THAT(failed.what(), HasSubstr("plain"));
  }
}

}  // namespace
}  // namespace btc
