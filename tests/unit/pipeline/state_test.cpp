#include "pipeline/state.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "common/error.hpp"
#include "common/hash.hpp"
#include "io/atomic_file.hpp"
#include "support/thrown_by.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class UnitStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ("unit_store_" + std::to_string(getpid()));
    fs::remove_all(root_);
    unit_ = {"encode", "block-00003", root_ / "packed" / "block-00003.safetensors", "abc"};
    write_text_file(unit_.file, "content");
    result_ = {.bytes = 7,
               .sha256 = sha256_hex("content"),
               .seconds = 1.5,
               .note = "relative error 0.1",
               .payload = R"([0.1,"x"])"};
  }
  void TearDown() override { fs::remove_all(root_); }

  [[nodiscard]] UnitStore store(ResumeVerify verify = ResumeVerify::kSize) const {
    return UnitStore(root_ / "state", verify);
  }

  fs::path root_;
  Unit unit_;
  UnitResult result_;
};

TEST_F(UnitStoreTest, ARecordedUnitIsFoundWithAllItSaid) {
  EXPECT_FALSE(store().find(unit_).has_value());
  store().record(unit_, result_);
  const auto found = store().find(unit_);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->bytes, 7U);
  EXPECT_EQ(found->sha256, result_.sha256);
  EXPECT_EQ(found->seconds, 1.5);
  EXPECT_EQ(found->note, result_.note);
  EXPECT_EQ(found->payload, result_.payload);
}

TEST_F(UnitStoreTest, AnotherFingerprintIsRedone) {
  store().record(unit_, result_);
  unit_.fingerprint = "abd";
  EXPECT_FALSE(store().find(unit_).has_value());
}

TEST_F(UnitStoreTest, AMissingOrShorterFileIsRedone) {
  store().record(unit_, result_);
  fs::resize_file(unit_.file, 6);
  EXPECT_FALSE(store().find(unit_).has_value());
  fs::remove(unit_.file);
  EXPECT_FALSE(store().find(unit_).has_value());
}

TEST_F(UnitStoreTest, FullVerificationSeesAChangedByte) {
  store().record(unit_, result_);
  std::ofstream(unit_.file) << "contenT";
  EXPECT_TRUE(store().find(unit_).has_value());
  EXPECT_FALSE(store(ResumeVerify::kFull).find(unit_).has_value());
}

TEST_F(UnitStoreTest, AFailureRecordIsRedone) {
  store().record(unit_, result_);
  store().record_failure(unit_, "no reason");
  EXPECT_FALSE(store().find(unit_).has_value());
}

TEST_F(UnitStoreTest, AFileFoundDamagedIsRedoneAndTheErrorSaysSo) {
  store().record(unit_, result_);
  EXPECT_EQ(store().read(unit_, [] { return 3; }), 3);
  const std::string error = test::thrown_by<FormatError>(
      [&] { store().read(unit_, []() -> int { BTC_THROW(FormatError, "byte 17 is wrong"); }); });
  EXPECT_THAT(error, HasSubstr("byte 17 is wrong"));
  EXPECT_THAT(error, HasSubstr("start again"));
  EXPECT_FALSE(store().find(unit_).has_value());
}

TEST_F(UnitStoreTest, AHashedReadSeesAChangedByteBeforeTheReaderDoes) {
  store().record(unit_, result_);
  EXPECT_EQ(store().read_hashed(unit_, [] { return 3; }), 3);
  std::ofstream(unit_.file) << "contenT";
  bool read = false;
  EXPECT_THROW(store().read_hashed(unit_, [&] { read = true; }), FormatError);
  EXPECT_FALSE(read);
  EXPECT_FALSE(store().find(unit_).has_value());
}

TEST_F(UnitStoreTest, ADamagedRecordIsRedone) {
  store().record(unit_, result_);
  std::ofstream(root_ / "state" / "encode" / "block-00003.json") << R"({"schema":"btc.un)";
  EXPECT_FALSE(store().find(unit_).has_value());
  EXPECT_THROW((void)store().at(unit_), FormatError);
}

TEST_F(UnitStoreTest, ARecordWithOneOtherDigitIsRedone) {
  store().record(unit_, result_);
  const fs::path record = root_ / "state" / "encode" / "block-00003.json";
  std::string text = read_text_file(record);
  const std::size_t payload = text.find("0.1,");
  ASSERT_NE(payload, std::string::npos) << text;
  text[payload + 2] = '3';
  write_text_file(record, text);
  EXPECT_FALSE(store().find(unit_).has_value());
}

TEST_F(UnitStoreTest, CleanUpRemovesTemporariesInEveryFolder) {
  const fs::path temporary = temporary_path(root_ / "packed" / "x.h5");
  std::ofstream(temporary) << "half";
  UnitStore::clean_up(root_);
  EXPECT_FALSE(fs::exists(temporary));
  EXPECT_TRUE(fs::exists(unit_.file));
}

TEST(Fingerprint, DependsOnStageVersionAndEveryPart) {
  const auto base = make_fingerprint("encode", 1, {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(base.size(), 64U);
  EXPECT_EQ(base, make_fingerprint("encode", 1, {{"b", "2"}, {"a", "1"}}));
  EXPECT_NE(base, make_fingerprint("reduce", 1, {{"a", "1"}, {"b", "2"}}));
  EXPECT_NE(base, make_fingerprint("encode", 2, {{"a", "1"}, {"b", "2"}}));
  EXPECT_NE(base, make_fingerprint("encode", 1, {{"a", "1"}, {"b", "3"}}));
}

}  // namespace
}  // namespace btc
