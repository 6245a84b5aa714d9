#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "calibration/tokens.hpp"
#include "common/error.hpp"
#include "io/atomic_file.hpp"
#include "io/hdf5_file.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class TokenFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / concat("btc-token-file-", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    path_ = folder_ / "ids.h5";
  }
  void TearDown() override { fs::remove_all(folder_); }

  static TokenizedText sample() {
    TokenizedText text;
    text.ids = {1, 40, 7, 99, 0, 12};
    text.add_bos = true;
    text.join = "wikitext";
    text.rows = 3;
    text.text_bytes = 21;
    text.text_sha256 = std::string(64, 'a');
    text.tokenizer_sha256 = std::string(64, 'b');
    text.vocab_size = 100;
    return text;
  }
  template <typename ErrorType>
  std::string refusal(std::size_t vocab_size = 100) const {
    try {
      read_token_file(path_, vocab_size);
    } catch (const ErrorType& error) {
      return error.what();
    }
    return "accepted";
  }

  fs::path folder_;
  fs::path path_;
};

TEST_F(TokenFileTest, ATextComesBackWhole) {
  const TokenizedText text = sample();
  write_token_file(path_, text);
  const TokenFile file = read_token_file(path_, 100);
  ASSERT_TRUE(file.text.has_value());
  EXPECT_FALSE(file.sequences.has_value());
  EXPECT_EQ(file.text->ids, text.ids);
  EXPECT_TRUE(file.text->add_bos);
  EXPECT_EQ(file.text->join, "wikitext");
  EXPECT_EQ(file.text->rows, 3U);
  EXPECT_EQ(file.text->text_bytes, 21U);
  EXPECT_EQ(file.text->text_sha256, text.text_sha256);
  EXPECT_EQ(file.text->tokenizer_sha256, text.tokenizer_sha256);
  EXPECT_EQ(file.text->vocab_size, 100U);
  EXPECT_EQ(file.content_sha256.size(), 64U);
}

TEST_F(TokenFileTest, SequencesComeBackAsAMatrix) {
  Matrix<std::int32_t> sequences(3, 4);
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    sequences.values()[i] = static_cast<std::int32_t>(i * 7 % 50);
  }
  write_sequences(path_, sequences, 50, "self");
  const TokenFile file = read_token_file(path_, 50);
  EXPECT_FALSE(file.text.has_value());
  EXPECT_EQ(file.sequences, sequences);
}

TEST_F(TokenFileTest, IdsOutsideTheVocabularyAreRefused) {
  write_token_file(path_, sample());
  EXPECT_THAT(refusal<InputError>(99), HasSubstr("id 99 at position 3, expected 0 to 98"));
  TokenizedText text = sample();
  text.ids[2] = -5;
  write_token_file(path_, text);
  EXPECT_THAT(refusal<InputError>(), HasSubstr("id -5 at position 2"));
}

TEST_F(TokenFileTest, ADamagedFileIsRefused) {
  write_token_file(path_, sample());
  const std::string whole = read_text_file(path_);
  std::string changed = whole;
  const std::string id_bytes("\x28\0\0\0\x07\0\0\0", 8);  // 40 7
  const std::size_t at = changed.find(id_bytes);
  ASSERT_NE(at, std::string::npos);
  changed[at] ^= 1;
  write_text_file(path_, changed);
  EXPECT_THAT(refusal<FormatError>(), HasSubstr("the file is damaged"));
  for (const std::size_t length : {std::size_t{0}, std::size_t{100}, whole.size() - 9}) {
    write_text_file(path_, whole.substr(0, length));
    EXPECT_NE(refusal<FormatError>(), "accepted") << length;
  }
  fs::remove(path_);
  EXPECT_NE(refusal<IoError>(), "accepted");
}

TEST_F(TokenFileTest, AnotherSchemaOrVersionIsRefused) {
  const auto write = [&](std::string_view schema, std::string_view version) {
    Hdf5File file = Hdf5File::create(path_);
    file.set_attribute("/", "schema", schema);
    file.set_attribute("/", "version", version);
    file.commit();
  };
  write("btc.activations", "1.0");
  EXPECT_THAT(refusal<FormatError>(), HasSubstr("schema 'btc.activations', expected btc.ppl"));
  write("btc.ppl", "2.0");
  EXPECT_THAT(refusal<FormatError>(), HasSubstr("2.0"));
  write("btc.ppl", "1.3");  // a later minor is fine, but the ids are missing
  EXPECT_THAT(refusal<FormatError>(), HasSubstr("/text/ids"));
}

}  // namespace
}  // namespace btc
