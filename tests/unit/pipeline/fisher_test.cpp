#include "pipeline/fisher.hpp"

#include <gmock/gmock.h>

#include <limits>

#include "common/hash.hpp"
#include "io/atomic_file.hpp"
#include "support/scratch.hpp"
#include "support/thrown_by.hpp"

namespace btc {
namespace {

using ::testing::HasSubstr;

/// Three blocks of five channels.
class FisherFile : public ::testing::Test {
 protected:
  FisherFile() {
    model_.blocks = 3;
    model_.hidden = 5;
    for (std::size_t e = 0; e < weights_.size(); ++e) {
      weights_.values()[e] = 0.5F * static_cast<float>(e % 4);
    }
  }
  void write() const { write_fisher(file_, weights_, "print"); }
  [[nodiscard]] Matrix<float> read() const { return read_fisher(file_, "print", model_); }

  const test::Scratch scratch_{"fisher"};
  const std::filesystem::path file_ = scratch_.path() / "fisher.h5";
  ModelConfig model_;
  Matrix<float> weights_{3, 5};
};

TEST_F(FisherFile, IsReadBack) {
  write();
  EXPECT_EQ(read(), weights_);
}

TEST_F(FisherFile, OfAnotherUnitIsRefused) {
  write();
  EXPECT_THAT(test::thrown_by<FormatError>([&] { read_fisher(file_, "other", model_); }),
              HasSubstr("other settings or inputs"));
}

TEST_F(FisherFile, OfAnotherModelIsRefused) {
  write();
  model_.hidden = 15;
  model_.blocks = 1;
  EXPECT_THAT(test::thrown_by<FormatError>([&] { (void)read(); }), HasSubstr("expected [1, 15]"));
}

TEST_F(FisherFile, WithAWeightThatIsNoneIsRefused) {
  for (const float bad :
       {-0.25F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    weights_(2, 4) = bad;
    write();
    EXPECT_THAT(test::thrown_by<FormatError>([&] { (void)read(); }),
                HasSubstr("block 2, channel 4"))
        << bad;
  }
}

TEST_F(FisherFile, WithAByteChangedIsRefusedAndItsUnitNoLongerFinished) {
  write();
  const Unit unit = {"fisher", "model", file_, "print"};
  const UnitStore store(scratch_.path() / "state", ResumeVerify::kSize);
  const std::string bytes = read_text_file(file_);
  store.record(unit, {.bytes = bytes.size(), .sha256 = sha256_hex(bytes), .note = {}});
  EXPECT_THAT(stored_fisher(store, unit, model_, 1), ::testing::ElementsAreArray(weights_.row(1)));
  std::string damaged = bytes;
  damaged.at(damaged.size() - 1) = static_cast<char>(damaged.back() ^ 1);
  write_text_file(file_, damaged);
  EXPECT_THROW((void)stored_fisher(store, unit, model_, 1), FormatError);
  EXPECT_FALSE(store.find(unit).has_value());
}

TEST(FisherSequences, AreAllOrTheFirst32) {
  EXPECT_EQ(fisher_sequences(8), 8U);
  EXPECT_EQ(fisher_sequences(32), 32U);
  EXPECT_EQ(fisher_sequences(128), 32U);
}

}  // namespace
}  // namespace btc
