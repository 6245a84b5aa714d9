#include "calibration/shared_activation_writer.hpp"

#include <gmock/gmock.h>

#include <limits>
#include <optional>

#include "common/error.hpp"
#include "support/shared_scratch.hpp"
#include "support/thrown_by.hpp"

namespace btc {
namespace {

using test::SharedScratch;
using test::thrown_by;
using ::testing::AllOf;
using ::testing::HasSubstr;

const ActivationHeader kHeader = {0, 7, 4, 30, "fingerprint"};

Matrix<float> sequence_values(std::size_t sequence) {
  Matrix<float> values(kHeader.tokens, kHeader.hidden);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values.values()[i] = static_cast<float>(sequence) + static_cast<float>(i) * 0x1p-4F;
  }
  round_to_bf16(values.view());
  return values;
}

/// All sequences in turn over the ranks; sequence `skipped` is left out.
void write_sequences_in_turn(const Communicator& world, SharedActivationWriter& writer,
                             std::optional<std::size_t> skipped = {}) {
  const auto ranks = static_cast<std::size_t>(world.size());
  for (std::size_t first = 0; first < kHeader.sequences; first += ranks) {
    const std::size_t mine = first + static_cast<std::size_t>(world.rank());
    if (mine < kHeader.sequences && mine != skipped) {
      writer.write(mine, sequence_values(mine).view());
    } else {
      writer.write_nothing();
    }
  }
}

TEST(SharedActivationWriter, WritesWhatOneRankWouldHaveWritten) {
  const Communicator world = Communicator::world();
  const SharedScratch scratch("shared-store");
  const auto path = scratch.path() / "activations" / "block-00000.h5";
  SharedActivationWriter writer(world, path, kHeader);
  write_sequences_in_turn(world, writer);
  const std::size_t size = writer.commit();
  EXPECT_EQ(size, std::filesystem::file_size(path));

  const auto alone = scratch.path() / concat("alone-", world.rank(), ".h5");
  ActivationWriter single(alone, kHeader);
  ActivationReader reader(path);
  EXPECT_EQ(reader.header().fingerprint, "fingerprint");
  for (std::size_t s = 0; s < kHeader.sequences; ++s) {
    single.write(s, sequence_values(s).view());
    EXPECT_EQ(reader.next(), sequence_values(s)) << s;
  }
  EXPECT_EQ(reader.content_hash(), single.content_hash());
  EXPECT_EQ(writer.content_hash(), single.content_hash());
}

TEST(SharedActivationWriter, AValueThatIsNotFiniteOnOneRankFailsAll) {
  const Communicator world = Communicator::world();
  const SharedScratch scratch("shared-store");
  const int bad_rank = world.size() - 1;
  const auto message = thrown_by<StageFailed>([&] {
    SharedActivationWriter writer(world, scratch.path() / "a.h5", kHeader);
    const auto mine = static_cast<std::size_t>(world.rank());
    Matrix<float> values = sequence_values(mine);
    if (world.rank() == bad_rank) {
      values(1, 2) = std::numeric_limits<float>::quiet_NaN();
    }
    writer.write(mine, values.view());
  });
  EXPECT_THAT(message, AllOf(HasSubstr(concat("rank ", bad_rank)), HasSubstr("block 0"),
                             HasSubstr(concat("sequence ", bad_rank)), HasSubstr("not finite")));
  world.barrier();
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST(SharedActivationWriter, DoesNotCommitWithoutEverySequence) {
  const Communicator world = Communicator::world();
  const SharedScratch scratch("shared-store");
  {
    SharedActivationWriter writer(world, scratch.path() / "a.h5", kHeader);
    write_sequences_in_turn(world, writer, 4);
    EXPECT_THAT(thrown_by<StageFailed>([&] { writer.commit(); }),
                HasSubstr("sequence 4 of 7 was written 0 times"));
  }
  world.barrier();
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST(SharedActivationWriter, RefusesASequenceOfTwoRanks) {
  const Communicator world = Communicator::world();
  if (world.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  const SharedScratch scratch("shared-store");
  SharedActivationWriter writer(world, scratch.path() / "a.h5", kHeader);
  write_sequences_in_turn(world, writer, 6);
  for (int rank = 0; rank < 2; ++rank) {
    if (world.rank() == rank) {
      writer.write(6, sequence_values(6).view());
    } else {
      writer.write_nothing();
    }
  }
  EXPECT_THAT(thrown_by<StageFailed>([&] { writer.commit(); }), HasSubstr("2 times"));
}

}  // namespace
}  // namespace btc
