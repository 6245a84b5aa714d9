#include "eval/encode_requests.hpp"

#include <gmock/gmock.h>

#include "byte_tokenizer.hpp"
#include "common/error.hpp"
#include "support/scratch.hpp"
#include "support/thrown_by.hpp"

namespace btc {
namespace {

using test::ByteTokenizer;
using test::thrown_by;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Ids = std::vector<std::int32_t>;

constexpr std::int32_t kBos = ByteTokenizer::kBos;
constexpr std::int32_t kEos = ByteTokenizer::kEos;
const SpecialIds kWithBos{.bos = kBos, .adds_bos = true, .prefix = kBos};
const SpecialIds kOnlyEos{.prefix = kEos};

Ids bytes(std::string_view text) { return ByteTokenizer(false).encode(text); }
Ids behind(std::int32_t first, Ids ids) {
  ids.insert(ids.begin(), first);
  return ids;
}

TEST(RequestEncoder, WhiteSpaceAtTheEndOfAContextMovesToTheContinuation) {
  const ByteTokenizer tokenizer(false);
  RequestEncoder encoder(tokenizer, kOnlyEos, AddBos::kAuto);
  const EncodedRequest plain = encoder.encode({"ab", " c"});
  EXPECT_EQ(plain.ids, bytes("ab c"));
  EXPECT_EQ(plain.context, 2U);
  const EncodedRequest moved = encoder.encode({"ab \n\xC2\xA0", "c"});
  EXPECT_EQ(moved.ids, bytes("ab \n\xC2\xA0"
                             "c"));
  EXPECT_EQ(moved.context, 2U);
  EXPECT_FALSE(moved.violation);
}

TEST(RequestEncoder, BosIsInFrontAsTheSwitchSays) {
  const ByteTokenizer adding(true);
  RequestEncoder automatic(adding, kWithBos, AddBos::kAuto);
  EXPECT_EQ(automatic.encode({"ab", "c"}).ids, behind(kBos, bytes("abc")));
  EXPECT_EQ(automatic.encode({"ab", "c"}).context, 3U);
  RequestEncoder without(adding, kWithBos, AddBos::kFalse);
  EXPECT_EQ(without.encode({"ab", "c"}).ids, bytes("abc"));
  EXPECT_FALSE(without.adds_bos());

  const ByteTokenizer silent(false);
  const SpecialIds has_bos{.bos = kBos, .prefix = kBos};
  RequestEncoder left_out(silent, has_bos, AddBos::kAuto);
  EXPECT_EQ(left_out.encode({"ab", "c"}).ids, bytes("abc"));
  RequestEncoder forced(silent, has_bos, AddBos::kTrue);
  EXPECT_EQ(forced.encode({"ab", "c"}).ids, behind(kBos, bytes("abc")));
  EXPECT_TRUE(forced.adds_bos());
  EXPECT_THAT(thrown_by<InputError>([&] { RequestEncoder(silent, kOnlyEos, AddBos::kTrue); }),
              HasSubstr("has no BOS"));
}

TEST(RequestEncoder, AnEmptyContextIsThePrefix) {
  const ByteTokenizer tokenizer(true);
  for (const AddBos add_bos : {AddBos::kAuto, AddBos::kFalse}) {
    RequestEncoder encoder(tokenizer, kWithBos, add_bos);
    for (const TextRequest& request : {TextRequest{"", " ab"}, TextRequest{" ", "ab"}}) {
      const EncodedRequest encoded = encoder.encode(request);
      EXPECT_EQ(encoded.ids, behind(kBos, bytes(" ab")));
      EXPECT_EQ(encoded.context, 1U);
    }
  }
  RequestEncoder eos(tokenizer, kOnlyEos, AddBos::kFalse);
  EXPECT_EQ(eos.encode({"", "ab"}).ids, behind(kEos, bytes("ab")));
  RequestEncoder none(tokenizer, {}, AddBos::kFalse);
  EXPECT_THAT(thrown_by<InputError>([&] { none.encode({"", "ab"}); }), HasSubstr("BOS or EOS"));
}

TEST(RequestEncoder, AContinuationThatBeginsWithThePrefixKeepsItOnce) {
  const ByteTokenizer tokenizer(false);
  RequestEncoder encoder(tokenizer, {.bos = 'a', .prefix = 'a'}, AddBos::kFalse);
  const EncodedRequest encoded = encoder.encode({"", "ab"});
  EXPECT_EQ(encoded.ids, bytes("ab"));
  EXPECT_EQ(encoded.context, 1U);
  EXPECT_THAT(thrown_by<InputError>([&] {
                encoder.encode({"", "a"});
              }),
              HasSubstr("a continuation without ids"));
}

TEST(RequestEncoder, ABoundaryInsideATokenIsReported) {
  const ByteTokenizer tokenizer(false, "bc");
  RequestEncoder encoder(tokenizer, kOnlyEos, AddBos::kFalse);
  const EncodedRequest encoded = encoder.encode({"ab", "cd"});
  EXPECT_TRUE(encoded.violation);
  // The context as it is alone, then what the whole has behind as many ids: [a, pair, d] -> [d].
  EXPECT_EQ(encoded.ids, bytes("abd"));
  EXPECT_EQ(encoded.context, 2U);
  EXPECT_THAT(thrown_by<InputError>([&] { encoder.encode({"ab", "c"}); }), HasSubstr("adds no id"));
}

TEST(RollingWindows, ScoreEveryIdOnceAndFillTheirInput) {
  Ids ids(10);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<std::int32_t>(i);
  }
  const auto windows = rolling_windows(ids, kEos, 4);
  ASSERT_EQ(windows.size(), 3U);
  EXPECT_THAT(windows[0].ids, ElementsAre(kEos, 0, 1, 2, 3));
  EXPECT_EQ(windows[0].context, 1U);
  EXPECT_THAT(windows[1].ids, ElementsAre(3, 4, 5, 6, 7));
  EXPECT_EQ(windows[1].context, 1U);
  // Two ids are left: the input is still four long.
  EXPECT_THAT(windows[2].ids, ElementsAre(5, 6, 7, 8, 9));
  EXPECT_EQ(windows[2].context, 3U);

  EXPECT_THAT(rolling_windows({7}, kEos, 4).front().ids, ElementsAre(kEos, 7));
  EXPECT_EQ(rolling_windows(Ids(8, 1), kEos, 4).size(), 2U);
  for (std::size_t length = 1; length < 20; ++length) {
    for (std::size_t count = 1; count < 50; ++count) {
      std::size_t scored = 0;
      for (const EncodedRequest& window : rolling_windows(Ids(count, 1), kEos, length)) {
        ASSERT_GE(window.context, 1U);
        ASSERT_LE(window.ids.size(), length + 1);
        scored += window.ids.size() - window.context;
      }
      ASSERT_EQ(scored, count);
    }
  }
}

TaskDocuments documents_of(std::initializer_list<Document> documents) {
  return {.documents = documents, .notes = {"a note"}};
}

Document rolling_document(std::string text, std::int64_t words, std::int64_t bytes_before) {
  Document document;
  document.requests = {{"", std::move(text)}};
  document.words = words;
  document.bytes = bytes_before;
  return document;
}

TEST(EncodeTask, RequestsFollowEachOtherDocumentByDocument) {
  const ByteTokenizer tokenizer(false);
  const Task piqa = find_tasks("piqa").front();
  const TaskDocuments documents = documents_of(
      {choices_document("ab", {"c", "\xC3\xA9 "}, 1), choices_document("x", {"y", "z"}, 0)});
  const TaskRequests task = encode_task(piqa, documents, tokenizer, kOnlyEos, {});
  EXPECT_EQ(task.requests.task, "piqa");
  EXPECT_EQ(task.requests.tokens, bytes("ab cab \xC3\xA9 x yx z"));
  EXPECT_THAT(task.requests.offset, ElementsAre(0, 4, 10, 13, 16));
  EXPECT_THAT(task.requests.ctx_len, ElementsAre(2, 2, 1, 1));
  EXPECT_THAT(task.requests.doc_start, ElementsAre(0, 2, 4));
  EXPECT_THAT(task.requests.gold, ElementsAre(1, 0));
  EXPECT_THAT(task.requests.char_len, ElementsAre(1, 2, 1, 1));
  EXPECT_THAT(task.requests.byte_len, ElementsAre(1, 3, 1, 1));
  EXPECT_THAT(task.doc_words, IsEmpty());
  EXPECT_THAT(task.notes, ElementsAre("a note"));
  EXPECT_EQ(task.metrics, piqa.metrics);
  EXPECT_EQ(task.request_sha256.size(), 64U);
}

TEST(EncodeTask, LongContextsLoseTheirStart) {
  const ByteTokenizer tokenizer(true);
  const Task piqa = find_tasks("piqa").front();
  const TaskDocuments documents = documents_of({choices_document("abcdef", {"x", "xyz"}, 0)});
  const TaskRequests task = encode_task(piqa, documents, tokenizer, kWithBos, {.max_length = 5});
  // Six ids: five are the input, the last is only scored.
  EXPECT_EQ(task.requests.tokens, bytes("cdef xef xyz"));
  EXPECT_THAT(task.requests.ctx_len, ElementsAre(4, 2));
  EXPECT_EQ(task.cut_requests, 2);
  EXPECT_EQ(task.max_length, 5U);
  EXPECT_THAT(thrown_by<InputError>(
                  [&] { encode_task(piqa, documents, tokenizer, kWithBos, {.max_length = 3}); }),
              HasSubstr("piqa, document 1: a continuation of 4 ids, expected at most 3"));
}

TEST(EncodeTask, RollingDocumentsBecomeWindows) {
  const ByteTokenizer tokenizer(true);
  const TaskDocuments documents =
      documents_of({rolling_document("abcdef", 3, 9), rolling_document("g", 1, 2)});
  const Task wikitext = find_tasks("wikitext").front();
  const TaskRequests bare =
      encode_task(wikitext, documents, tokenizer, kWithBos, {AddBos::kFalse, 4});
  EXPECT_THAT(bare.requests.doc_start, ElementsAre(0, 2, 3));
  EXPECT_THAT(bare.requests.ctx_len, ElementsAre(1, 3, 1));
  EXPECT_THAT(bare.requests.gold, ElementsAre(0, 0));
  EXPECT_THAT(bare.doc_words, ElementsAre(3, 1));
  EXPECT_THAT(bare.doc_bytes, ElementsAre(9, 2));
  // With BOS the harness encodes it as a part of the text as well and scores it.
  const TaskRequests with_bos =
      encode_task(wikitext, documents, tokenizer, kWithBos, {AddBos::kTrue, 16});
  EXPECT_EQ(with_bos.requests.tokens[0], kBos);
  EXPECT_EQ(with_bos.requests.tokens[1], kBos);
  EXPECT_THAT(with_bos.requests.offset, ElementsAre(0, 8, 11));
}

class SpecialIdsTest : public ::testing::Test {
 protected:
  void write(std::string_view tokenizer_config) {
    test::write_bytes(scratch_.path() / "tokenizer_config.json", tokenizer_config);
  }
  SpecialIds ids(bool adds_bos) {
    return read_special_ids(ByteTokenizer(adds_bos), scratch_.path());
  }
  test::Scratch scratch_{"special-ids"};
};

TEST_F(SpecialIdsTest, TheTokenizersOwnBosComesFirst) {
  write(R"({"eos_token": "</s>"})");
  EXPECT_EQ(ids(true).bos, kBos);
  EXPECT_EQ(ids(true).prefix, kBos);
  EXPECT_TRUE(ids(true).adds_bos);
}

TEST_F(SpecialIdsTest, ABosThatIsNotAddedIsStillThePrefix) {
  write(R"({"bos_token": {"content": "<s>"}, "eos_token": "</s>"})");
  EXPECT_EQ(ids(false).bos, kBos);
  EXPECT_EQ(ids(false).prefix, kBos);
  EXPECT_FALSE(ids(false).adds_bos);
}

TEST_F(SpecialIdsTest, WithoutBosThePrefixIsEos) {
  write(R"({"bos_token": null, "eos_token": "</s>"})");
  EXPECT_FALSE(ids(false).bos.has_value());
  EXPECT_EQ(ids(false).prefix, kEos);
  write("{}");
  EXPECT_FALSE(ids(false).prefix.has_value());
  ByteTokenizer tokenizer(false);
  tokenizer.set_eos_ids({65, 66});
  EXPECT_EQ(read_special_ids(tokenizer, scratch_.path()).prefix, 65);
}

}  // namespace
}  // namespace btc
