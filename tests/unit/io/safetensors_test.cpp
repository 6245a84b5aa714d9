#include "io/safetensors.hpp"

#include <gmock/gmock.h>

#include <bit>
#include <cstring>

#include "common/error.hpp"
#include "common/half.hpp"
#include "common/hash.hpp"
#include "support/scratch.hpp"

namespace btc {
namespace {

using test::read_bytes;
using test::Scratch;
using test::write_bytes;
using ::testing::HasSubstr;

/// A file with this header and `data_bytes` bytes behind it.
std::string raw_file(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string file(sizeof(length), '\0');
  std::memcpy(file.data(), &length, sizeof(length));
  return file + header + std::string(data_bytes, 'x');
}

class Safetensors : public ::testing::Test {
 protected:
  std::filesystem::path path() const { return scratch_.path() / "t.safetensors"; }
  /// What the reader says about these bytes; `accepted` if it takes them.
  std::string verdict(const std::string& bytes) const {
    write_bytes(path(), bytes);
    try {
      SafetensorsFile::open(path());
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), HasSubstr("t.safetensors"));
      return error.what();
    }
    return "accepted";
  }
  /// Verdict on a header with 8 bytes of data.
  std::string header_verdict(const std::string& header) const {
    return verdict(raw_file(header, 8));
  }

 private:
  Scratch scratch_{"safetensors"};
};

TEST_F(Safetensors, WritesElementSizeThenNameAndPadsTheHeader) {
  const std::vector<std::uint16_t> half = {0x3c00, 0xc000};
  const std::vector<std::int64_t> ints = {-1, 7};
  const std::vector<std::uint8_t> bytes = {1, 2, 3};
  const auto written =
      write_safetensors(path(),
                        {{"b", DType::kU8, {3}, std::as_bytes(std::span(bytes))},
                         {"z", DType::kI64, {2}, std::as_bytes(std::span(ints))},
                         {"a", DType::kU8, {0, 5}, {}},
                         {"m", DType::kF16, {1, 2}, std::as_bytes(std::span(half))}},
                        {{"version", "1.0"}, {"format", "x"}});
  const std::string raw = read_bytes(path());
  EXPECT_EQ(written.bytes, raw.size());
  EXPECT_EQ(written.sha256, sha256_hex(raw));
  const std::string header = R"({"__metadata__":{"format":"x","version":"1.0"},)"
                             R"("z":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},)"
                             R"("m":{"dtype":"F16","shape":[1,2],"data_offsets":[16,20]},)"
                             R"("a":{"dtype":"U8","shape":[0,5],"data_offsets":[20,20]},)"
                             R"("b":{"dtype":"U8","shape":[3],"data_offsets":[20,23]}})";
  EXPECT_EQ(raw.substr(8, header.size()), header);
  const auto file = SafetensorsFile::open(path());
  EXPECT_EQ(file.header_bytes() % 64, 0U);
  EXPECT_LT(file.header_bytes(), 8 + header.size() + 64);
  EXPECT_EQ(raw.substr(8 + header.size(), file.header_bytes() - 8 - header.size()),
            std::string(file.header_bytes() - 8 - header.size(), ' '));
  EXPECT_EQ(file.metadata().at("version"), "1.0");
  ASSERT_EQ(file.tensors().size(), 4U);
  EXPECT_EQ(file.tensors()[0].name, "z");
  EXPECT_EQ(file.at("b").file_offset, file.header_bytes() + 20);
  EXPECT_EQ(file.at("b").bytes.size(), 3U);
  EXPECT_EQ(file.at("b").bytes[2], std::byte{3});
  EXPECT_EQ(file.find("absent"), nullptr);
  EXPECT_THROW(static_cast<void>(file.at("absent")), FormatError);
  EXPECT_EQ(to_float(file.at("m")), (std::vector<float>{1.0F, -2.0F}));
  EXPECT_THROW(to_float(file.at("z")), FormatError);
}

TEST_F(Safetensors, ConvertsTheThreeFloatTypesExactly) {
  const std::vector<float> values = {0.0F, -0.0F, 1.5F, -65504.0F, 0x1p-24F};
  std::vector<std::uint16_t> half;
  std::vector<std::uint16_t> brain;
  for (const float value : values) {
    half.push_back(float_to_fp16(value));
    brain.push_back(float_to_bf16(value));
  }
  write_safetensors(path(),
                    {{"f32", DType::kF32, {5}, std::as_bytes(std::span(values))},
                     {"f16", DType::kF16, {5}, std::as_bytes(std::span(half))},
                     {"bf16", DType::kBf16, {5}, std::as_bytes(std::span(brain))}},
                    {});
  const auto file = SafetensorsFile::open(path());
  const auto f16 = to_float(file.at("f16"));
  EXPECT_EQ(to_float(file.at("f32")), values);
  EXPECT_EQ(f16, values);
  EXPECT_TRUE(std::signbit(f16[1]));
  EXPECT_EQ(to_float(file.at("bf16")), (std::vector<float>{0.0F, 0.0F, 1.5F, -65536.0F, 0x1p-24F}));
  std::vector<float> part(2);
  to_float(file.at("f16"), 2, part);
  EXPECT_EQ(part, (std::vector<float>{1.5F, -65504.0F}));
  EXPECT_THROW(to_float(file.at("f16"), 4, part), Error);
}

TEST_F(Safetensors, RefusesEveryTruncationAndATrailingByte) {
  const std::vector<float> values = {1, 2};
  write_safetensors(path(), {{"a", DType::kF32, {2}, std::as_bytes(std::span(values))}}, {});
  const std::string raw = read_bytes(path());
  ASSERT_EQ(verdict(raw), "accepted");
  for (std::size_t size = 0; size < raw.size(); ++size) {
    EXPECT_NE(verdict(raw.substr(0, size)), "accepted") << size << " bytes";
  }
  EXPECT_THAT(verdict(raw + "x"), HasSubstr("1 bytes behind the last tensor"));
}

TEST_F(Safetensors, RefusesBadHeaderLengths) {
  EXPECT_THAT(verdict(""), HasSubstr("got 0 bytes"));
  EXPECT_THAT(verdict(std::string("\x40\0\0\0\0\0\0\0{}", 10)), HasSubstr("header length 64"));
  EXPECT_THAT(verdict(std::string("\x01\xe1\xf5\x05\0\0\0\0{}", 10)),
              HasSubstr("header length 100000001, expected at most 100000000"));
  EXPECT_THAT(verdict(std::string(8, '\xff') + "{}"), HasSubstr("header length"));
  EXPECT_THAT(verdict(raw_file("", 0)), HasSubstr("not an object"));
  EXPECT_EQ(verdict(raw_file("{}", 0)), "accepted");
}

TEST_F(Safetensors, RefusesOverlapHoleAndDuplicate) {
  const std::string u8 = R"({"dtype":"U8","shape":[4],"data_offsets":)";
  EXPECT_EQ(header_verdict("{\"a\":" + u8 + "[0,4]},\"b\":" + u8 + "[4,8]}}"), "accepted");
  EXPECT_EQ(header_verdict("{\"a\":" + u8 + "[4,8]},\"b\":" + u8 + "[0,4]}}"), "accepted");
  EXPECT_THAT(header_verdict("{\"a\":" + u8 + "[0,4]},\"b\":" + u8 + "[3,7]}}"),
              HasSubstr("overlap"));
  EXPECT_THAT(header_verdict("{\"a\":" + u8 + "[0,4]},\"b\":" + u8 + "[0,4]}}"),
              HasSubstr("overlap"));
  EXPECT_THAT(header_verdict("{\"a\":" + u8 + "[4,8]}}"), HasSubstr("hole"));
  EXPECT_THAT(header_verdict("{\"a\":" + u8 + "[0,4]}}"), HasSubstr("behind the last"));
  EXPECT_THAT(header_verdict("{\"a\":" + u8 + "[0,4]},\"a\":" + u8 + "[4,8]}}"),
              HasSubstr("occurs twice"));
}

TEST_F(Safetensors, RefusesShapesThatDoNotMatchTheBytes) {
  const auto tensor = [](const std::string& dtype, const std::string& shape) {
    return R"({"a":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":[0,8]}})";
  };
  EXPECT_EQ(header_verdict(tensor("\"F32\"", "[2]")), "accepted");
  EXPECT_EQ(header_verdict(tensor("\"F64\"", "[]")), "accepted");
  EXPECT_EQ(header_verdict(tensor("\"F8_E4M3\"", "[8]")), "accepted");
  EXPECT_THAT(header_verdict(tensor("\"F32\"", "[3]")), HasSubstr("got 8 bytes"));
  EXPECT_THAT(header_verdict(tensor("\"F32\"", "[4294967296,4294967296]")), HasSubstr("overflow"));
  EXPECT_THAT(header_verdict(tensor("\"F32\"", "[9223372036854775808]")), HasSubstr("expected an"));
  EXPECT_THAT(header_verdict(tensor("\"F32\"", "[-2]")), HasSubstr("expected an integer"));
  EXPECT_THAT(header_verdict(tensor("\"F32\"", "[2.0]")), HasSubstr("expected an integer"));
  EXPECT_THAT(header_verdict(tensor("\"F32\"", "2")), HasSubstr("shape missing"));
  EXPECT_THAT(header_verdict(tensor("4", "[2]")), HasSubstr("dtype missing"));
}

TEST_F(Safetensors, RefusesJsonThatIsNotAHeader) {
  for (const std::string header :
       {"[]", "7", "{\"a\":7}", "{\"a\":{}}", "{\"a\"", "{\"__metadata__\":[]}",
        "{\"__metadata__\":{\"k\":1}}", "{\"a\":{\"dtype\":\"U8\",\"shape\":[8]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[8,0]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8],\"more\":1}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[9],\"data_offsets\":[0,9]}}"}) {
    EXPECT_NE(header_verdict(header), "accepted") << header;
  }
}

TEST_F(Safetensors, WriterRefusesRepeatedNamesAndWrongSizes) {
  EXPECT_THROW(
      write_safetensors(path(), {{"a", DType::kU8, {0}, {}}, {"a", DType::kU8, {0}, {}}}, {}),
      Error);
  EXPECT_THROW(write_safetensors(path(), {{"a", DType::kU8, {1}, {}}}, {}), Error);
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(Safetensors, StreamingGivesTheSameBytesAndNothingWhenCutShort) {
  const std::vector<float> values = {1, 2, 3};
  const std::vector<std::uint8_t> bytes = {9};
  const std::vector<TensorView> tensors = {
      {"b", DType::kU8, {1}, std::as_bytes(std::span(bytes))},
      {"a", DType::kF32, {3}, std::as_bytes(std::span(values))}};
  const auto at_once = write_safetensors(path(), tensors, {{"k", "v"}});
  const auto other = path().parent_path() / "other";
  {
    SafetensorsWriter writer(other, tensors, {{"k", "v"}});
    writer.append(std::as_bytes(std::span(values)));
    EXPECT_THROW(writer.commit(), Error);
  }
  EXPECT_FALSE(std::filesystem::exists(other));
  SafetensorsWriter writer(other, tensors, {{"k", "v"}});
  writer.append(std::as_bytes(std::span(values)));
  writer.append(std::as_bytes(std::span(bytes)));
  EXPECT_THROW(writer.append({}), Error);
  EXPECT_EQ(writer.commit().sha256, at_once.sha256);
}

TEST_F(Safetensors, AnAbsentFileIsAnIoError) {
  EXPECT_THROW(SafetensorsFile::open(path()), IoError);
  EXPECT_THROW(SafetensorsFile::open("/tmp"), IoError);
}

}  // namespace
}  // namespace btc
