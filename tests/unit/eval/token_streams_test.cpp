// The ids of whole tasks against hashes from independent implementations of the tokenizers.

#include <gtest/gtest.h>

#include <set>

#include "common/error.hpp"
#include "common/hash.hpp"
#include "eval/encode_requests.hpp"
#include "eval_golden.hpp"

namespace btc {
namespace {

struct Family {
  std::string folder;
  std::string entry;  ///< of the golden file
};

std::ostream& operator<<(std::ostream& out, const Family& family) { return out << family.folder; }

class TokenStreams : public ::testing::TestWithParam<Family> {};

/// SHA-256 over int32 len(context), len(continuation), ids of all requests.
std::string stream_sha256(const TokenRequests& requests) {
  Sha256 sha;
  for (std::size_t r = 0; r < requests.requests(); ++r) {
    const auto begin = static_cast<std::size_t>(requests.offset[r]);
    const auto length = static_cast<std::size_t>(requests.offset[r + 1]) - begin;
    const auto total = static_cast<std::int32_t>(length);
    const std::array<std::int32_t, 2> lengths = {requests.ctx_len[r], total - requests.ctx_len[r]};
    sha.update(std::as_bytes(std::span(lengths)));
    sha.update(std::as_bytes(std::span(requests.tokens).subspan(begin, length)));
  }
  return sha.finish();
}

std::size_t unique_forwards(const TokenRequests& requests) {
  std::set<std::vector<std::int32_t>> inputs;
  for (std::size_t r = 0; r < requests.requests(); ++r) {
    inputs.emplace(requests.tokens.begin() + requests.offset[r],
                   requests.tokens.begin() + requests.offset[r + 1] - 1);
  }
  return inputs.size();
}

TEST_P(TokenStreams, OfWholeTasksHaveTheHashesOfOtherImplementations) {
  const auto folder = test::shared_data() / "tokenizers" / GetParam().folder;
  if (!std::filesystem::exists(folder)) {
    GTEST_SKIP() << "no folder " << folder;
  }
  std::unique_ptr<Tokenizer> tokenizer;
  try {
    tokenizer = open_tokenizer(folder);
  } catch (const InputError& error) {
    GTEST_SKIP() << "this tokenizer cannot be read: " << error.what();
  }
  const auto tasks = test::eval_golden()["task_token_streams"]["tasks"];
  for (const auto& [name, entry] : tasks.items()) {
    const auto& expected = entry[GetParam().entry];
    const Task task = find_tasks(name).front();
    const TaskDocuments documents = read_documents(task, test::shared_data() / "zeroshot");
    EXPECT_EQ(documents.documents.size(), entry["docs"]) << name;
    const TaskRequests encoded =
        encode_task(task, documents, *tokenizer, read_special_ids(*tokenizer, folder),
                    {.add_bos = AddBos::kFalse, .max_length = 2048});
    const TokenRequests& requests = encoded.requests;
    EXPECT_EQ(requests.requests(), expected["requests"]) << name;
    EXPECT_EQ(requests.tokens.size() - requests.requests(), expected["sum_input_tokens"]) << name;
    EXPECT_EQ(unique_forwards(requests), expected["unique_forwards"]) << name;
    EXPECT_EQ(stream_sha256(requests), expected["sha256"]) << name;
    EXPECT_EQ(encoded.boundary_violations, 0) << name;
    EXPECT_EQ(encoded.cut_requests, 0) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, TokenStreams,
                         ::testing::Values(Family{"llama1_2", "llama2_nobos"},
                                           Family{"llama3", "llama3_nobos"},
                                           Family{"qwen", "qwen_nobos"}),
                         [](const auto& tested) { return tested.param.folder; });

}  // namespace
}  // namespace btc
