#include "eval/request_file.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "common/error.hpp"
#include "io/hdf5_file.hpp"
#include "support/scratch.hpp"
#include "support/thrown_by.hpp"

namespace btc {
namespace {

using test::thrown_by;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// Two documents of two choices.
TaskRequests choices() {
  TaskRequests task{.kind = TaskKind::kChoices,
                    .metrics = {Metric::kAcc, Metric::kAccNorm},
                    .version = 3,
                    .split = "test",
                    .add_bos = true,
                    .request_sha256 = std::string(64, 'd'),
                    .boundary_violations = 1,
                    .cut_requests = 2,
                    .limit = 5,
                    .notes = {"one", "two, and more"}};
  task.requests = {.task = "piqa",
                   .tokens = {1, 2, 3, 1, 2, 4, 5, 6, 7, 8, 6, 9},
                   .offset = {0, 3, 7, 10, 12},
                   .ctx_len = {2, 2, 1, 1},
                   .doc_start = {0, 2, 4},
                   .gold = {1, 0},
                   .char_len = {3, 0, 2, 2},
                   .byte_len = {3, 0, 4, 2}};
  return task;
}

/// One document in two windows.
TaskRequests rolling() {
  TaskRequests task{.kind = TaskKind::kRolling,
                    .metrics = {Metric::kWordPerplexity},
                    .split = "test",
                    .doc_words = {3},
                    .doc_bytes = {11}};
  task.requests = {.task = "wikitext",
                   .tokens = {0, 4, 5, 5, 6},
                   .offset = {0, 3, 5},
                   .ctx_len = {1, 1},
                   .doc_start = {0, 2},
                   .gold = {0},
                   .char_len = {0, 0},
                   .byte_len = {0, 0}};
  return task;
}

class RequestFileTest : public ::testing::Test {
 protected:
  RequestFile sample() const {
    return {.tasks = {rolling(), choices()},
            .tokenizer_sha256 = std::string(64, 'a'),
            .vocab_size = 10,
            .bos_id = 1,
            .max_length = 8,
            .made_by = "native"};
  }
  RequestFile read(std::size_t vocab_size = 10, std::string_view tokenizer = "") const {
    RequestFile file = read_requests(path_, vocab_size);
    if (!tokenizer.empty()) {
      check_tokenizer(file, tokenizer, path_.string());
    }
    return file;
  }
  template <typename Type>
  std::string refusal(std::size_t vocab_size = 10, std::string_view tokenizer = "") const {
    return thrown_by<Type>([&] { read(vocab_size, tokenizer); });
  }
  /// What the writer, which checks as the reader does, says about `choices` with a fault.
  template <typename Type = FormatError, typename Fault>
  std::string fault(Fault make) const {
    RequestFile file = sample();
    make(file.tasks[1]);
    return thrown_by<Type>([&] { write_requests(path_, file); });
  }

  test::Scratch scratch_{"request-file"};
  std::filesystem::path path_ = scratch_.path() / "requests.h5";
};

void expect_equal(const TaskRequests& found, const TaskRequests& expected) {
  EXPECT_EQ(found.requests.task, expected.requests.task);
  EXPECT_EQ(found.requests.tokens, expected.requests.tokens);
  EXPECT_EQ(found.requests.offset, expected.requests.offset);
  EXPECT_EQ(found.requests.ctx_len, expected.requests.ctx_len);
  EXPECT_EQ(found.requests.doc_start, expected.requests.doc_start);
  EXPECT_EQ(found.requests.gold, expected.requests.gold);
  EXPECT_EQ(found.requests.char_len, expected.requests.char_len);
  EXPECT_EQ(found.requests.byte_len, expected.requests.byte_len);
  EXPECT_EQ(found.kind, expected.kind);
  EXPECT_EQ(found.metrics, expected.metrics);
  EXPECT_EQ(found.version, expected.version);
  EXPECT_EQ(found.split, expected.split);
  EXPECT_EQ(found.doc_words, expected.doc_words);
  EXPECT_EQ(found.doc_bytes, expected.doc_bytes);
  EXPECT_EQ(found.add_bos, expected.add_bos);
  EXPECT_EQ(found.request_sha256, expected.request_sha256);
  EXPECT_EQ(found.boundary_violations, expected.boundary_violations);
  EXPECT_EQ(found.cut_requests, expected.cut_requests);
  EXPECT_EQ(found.limit, expected.limit);
  EXPECT_EQ(found.notes, expected.notes);
}

TEST_F(RequestFileTest, ComesBackWholeWithTasksByName) {
  write_requests(path_, sample());
  const RequestFile file = read(10, std::string(64, 'a'));
  ASSERT_EQ(file.tasks.size(), 2U);
  expect_equal(file.tasks[0], choices());
  expect_equal(file.tasks[1], rolling());
  EXPECT_EQ(file.vocab_size, 10U);
  EXPECT_EQ(file.bos_id, 1);
  EXPECT_EQ(file.max_length, 8U);
  EXPECT_EQ(file.made_by, "native");
  EXPECT_EQ(file.tokenizer_sha256, std::string(64, 'a'));
  EXPECT_EQ(file.content_sha256.size(), 64U);
}

TEST_F(RequestFileTest, ManyRequestsTakeSeveralChunks) {
  RequestFile file = sample();
  TokenRequests& requests = file.tasks[1].requests;
  const TokenRequests one = choices().requests;
  for (std::int64_t copy = 1; copy < 12000; ++copy) {
    requests.tokens.insert(requests.tokens.end(), one.tokens.begin(), one.tokens.end());
    for (std::size_t r = 0; r < 4; ++r) {
      requests.offset.push_back(one.offset[r + 1] + 12 * copy);
      requests.ctx_len.push_back(one.ctx_len[r]);
      requests.char_len.push_back(one.char_len[r]);
      requests.byte_len.push_back(one.byte_len[r]);
    }
    for (std::size_t d = 0; d < 2; ++d) {
      requests.doc_start.push_back(one.doc_start[d + 1] + 4 * copy);
      requests.gold.push_back(one.gold[d]);
    }
  }
  write_requests(path_, file);
  expect_equal(read().tasks[0], file.tasks[1]);
  // 1.5 MB of ids and lengths that repeat: deflated to a small part.
  EXPECT_LT(std::filesystem::file_size(path_), std::size_t{300} << 10U);
}

TEST_F(RequestFileTest, OfAnotherModelIsTheUsersMistake) {
  write_requests(path_, sample());
  EXPECT_THAT(refusal<InputError>(9),
              AllOf(HasSubstr("/tasks/piqa/tokens[11]: id 9, expected 0 to 8"),
                    HasSubstr("another model")));
  EXPECT_THAT(refusal<InputError>(10, std::string(64, 'b')),
              AllOf(HasSubstr("requests.h5"), HasSubstr(std::string(64, 'a'))));
}

TEST_F(RequestFileTest, FaultsAreNamedWithTaskAndPlace) {
  using T = TaskRequests;
  EXPECT_THAT(fault([](T& t) { t.requests.offset[2] = 3; }),
              HasSubstr("requests.h5: /tasks/piqa/offset[2]: 3, expected more than 3"));
  EXPECT_THAT(fault([](T& t) { t.requests.offset[0] = 1; }), HasSubstr("positions from 0"));
  EXPECT_THAT(fault([](T& t) { t.requests.offset[4] = 13; }), HasSubstr("ends at 13, expected 12"));
  EXPECT_THAT(fault([](T& t) { t.requests.offset.pop_back(); }),
              HasSubstr("/offset: 4 values, expected 5"));
  EXPECT_THAT(fault([](T& t) { t.requests.ctx_len[1] = 0; }),
              HasSubstr("/ctx_len[1]: 0, expected 1 to 3"));
  EXPECT_THAT(fault([](T& t) { t.requests.ctx_len[3] = 2; }),
              HasSubstr("/ctx_len[3]: 2, expected 1 to 1"));
  EXPECT_THAT(fault([](T& t) { t.requests.doc_start[1] = 4; }), HasSubstr("/doc_start[2]: 4"));
  EXPECT_THAT(fault([](T& t) { t.requests.doc_start.back() = 5; }),
              HasSubstr("ends at 5, expected 4"));
  EXPECT_THAT(fault([](T& t) { t.requests.gold[0] = 2; }),
              HasSubstr("/gold[0]: 2, expected 0 to 1"));
  EXPECT_THAT(fault([](T& t) { t.requests.gold[1] = -1; }), HasSubstr("/gold[1]: -1"));
  EXPECT_THAT(fault([](T& t) { t.requests.char_len[0] = -1; }),
              HasSubstr("/char_len[0]: -1, expected at least 0"));
  EXPECT_THAT(fault([](T& t) { t.requests.byte_len.push_back(0); }),
              HasSubstr("/byte_len: 5 values, expected 4"));
  EXPECT_THAT(fault([](T& t) { t.metrics = {Metric::kWordPerplexity}; }),
              HasSubstr("metric word_perplexity does not apply to kind choices"));
  EXPECT_THAT(fault([](T& t) { t.metrics.clear(); }), HasSubstr("no metrics"));
  EXPECT_THAT(fault([](T& t) {
                t.kind = TaskKind::kLikelihood;
                t.metrics = {Metric::kAcc};
              }),
              HasSubstr("document 0: 2 requests, expected 1"));
  EXPECT_THAT(fault<InputError>([](T& t) { t.requests.tokens[0] = -1; }),
              HasSubstr("/tokens[0]: id -1"));
  EXPECT_THAT(fault<InputError>([](T& t) { t.requests.tokens[5] = 10; }),
              HasSubstr("/tokens[5]: id 10, expected 0 to 9"));
  EXPECT_THAT(fault<ConfigError>([](T& t) { t.requests.task = "wikitext"; }),
              HasSubstr("two tasks of the name wikitext"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(RequestFileTest, InputsLongerThanPromisedAreRefused) {
  RequestFile file = sample();
  file.max_length = 2;
  EXPECT_THAT(thrown_by<FormatError>([&] { write_requests(path_, file); }),
              HasSubstr("/tasks/piqa: request 1: 4 ids, expected at most 3"));
}

TEST_F(RequestFileTest, RollingTasksNeedTheirCounts) {
  RequestFile file = sample();
  file.tasks[0].doc_words = {0};
  EXPECT_THAT(thrown_by<FormatError>([&] { write_requests(path_, file); }),
              HasSubstr("/tasks/wikitext/doc_words[0]: 0, expected at least 1"));
  file.tasks[0].doc_words = {};
  EXPECT_THAT(thrown_by<FormatError>([&] { write_requests(path_, file); }),
              HasSubstr("/doc_words: 0 values, expected 1"));
}

TEST_F(RequestFileTest, AChangedDatasetIsFoundByTheHash) {
  // The same file with one id changed, but the old hash.
  write_requests(path_, sample());
  const std::string old_hash = read().content_sha256;
  RequestFile changed = sample();
  changed.tasks[1].requests.tokens[2] = 9;
  write_requests(path_, changed);
  const std::string new_hash = read().content_sha256;
  std::string bytes = test::read_bytes(path_);
  const std::size_t at = bytes.find(new_hash);
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, old_hash.size(), old_hash);
  test::write_bytes(path_, bytes);
  // HDF5's own checksum of its headers may be first to notice.
  EXPECT_THAT(refusal<FormatError>(), HasSubstr("requests.h5"));
}

TEST_F(RequestFileTest, CutAndFlippedFilesAreRefusedNeverRead) {
  write_requests(path_, sample());
  const std::string whole = test::read_bytes(path_);
  for (std::size_t size = 0; size < whole.size();
       size += std::max<std::size_t>(1, whole.size() / 97)) {
    test::write_bytes(path_, std::string_view(whole).substr(0, size));
    EXPECT_THAT(refusal<FormatError>(), HasSubstr("requests.h5")) << size;
  }
  test::write_bytes(path_, whole + "x");
  EXPECT_THAT(refusal<FormatError>(), HasSubstr("requests.h5"));
}

TEST_F(RequestFileTest, OtherSchemasAndVersionsAreRefused) {
  const auto write = [&](std::string_view schema, std::string_view version) {
    Hdf5File file = Hdf5File::create(path_);
    file.set_attribute("/", "schema", schema);
    file.set_attribute("/", "version", version);
    file.commit();
  };
  write("btc.ppl", "1.0");
  EXPECT_THAT(refusal<FormatError>(), HasSubstr("schema 'btc.ppl', expected btc.requests"));
  write("btc.requests", "2.0");
  EXPECT_THAT(refusal<FormatError>(), HasSubstr("2.0"));
  write("btc.requests", "1.0");
  EXPECT_THAT(refusal<FormatError>(), HasSubstr("attribute tokenizer_sha256 is missing"));
  EXPECT_THAT(thrown_by<IoError>([&] { read_requests(scratch_.path() / "absent.h5", 10); }),
              HasSubstr("absent.h5"));
}

}  // namespace
}  // namespace btc
