/// Writes the seeds that are files of ours: what the fuzzers start from.
///   write_seeds DIRECTORY

#include <iostream>

#include "calibration/tokens.hpp"
#include "eval/request_file.hpp"
#include "packed_formats.hpp"
#include "support/scratch.hpp"
#include "unit/pack/random_block.hpp"

namespace btc::fuzz {
namespace {

namespace fs = std::filesystem;

void write_packed_blocks(const fs::path& directory, const fs::path& scratch) {
  const std::vector<PackedFormat> formats = packed_formats();
  for (std::size_t k = 0; k < formats.size(); ++k) {
    const PackedFormat& format = formats[k];
    // The panels of scope block_group take a codeword more each.
    const std::size_t codewords = format.scope == CodebookScope::kBlockGroup
                                      ? format.codebook_size / 2
                                      : format.codebook_size;
    const test::RandomBlock random(format, codewords, format.salient ? 6 : 0, k + 1,
                                   format.rice_group_map ? 0.05 : 0.5);
    const fs::path file = scratch / "block-00003.safetensors";
    write_packed_block(file, random.block, format);
    test::write_bytes(directory / ("format-" + std::to_string(k)),
                      std::string(1, static_cast<char>(k)) + test::read_bytes(file));
  }
}

void write_tensors(const fs::path& path) {
  const std::vector<std::byte> bytes(24, std::byte{1});
  const std::span<const std::byte> all(bytes);
  write_safetensors(path,
                    {{"a", DType::kF32, {2, 2}, all.first(16)},
                     {"b", DType::kBf16, {3}, all.first(6)},
                     {"c", DType::kF16, {1, 0}, {}},
                     {"d", DType::kU8, {2}, all.first(2)}},
                    {{"format", "pt"}});
}

void write_token_files(const fs::path& directory) {
  Matrix<std::int32_t> sequences(2, 3);
  std::fill(sequences.values().begin(), sequences.values().end(), 7);
  write_sequences(directory / "sequences.h5", sequences, 1000, "seed");
  TokenizedText text;
  text.ids = {1, 5, 999};
  text.join = "verbatim";
  text.vocab_size = 1000;
  text.text_sha256 = text.tokenizer_sha256 = std::string(64, 'a');
  write_token_file(directory / "text.h5", text);
}

void write_request_file(const fs::path& path) {
  TaskRequests task{
      .metrics = {Metric::kAcc}, .split = "test", .request_sha256 = std::string(64, 'd')};
  task.requests = {.task = "piqa",
                   .tokens = {1, 2, 3, 1, 2, 4, 5},
                   .offset = {0, 3, 7},
                   .ctx_len = {2, 2},
                   .doc_start = {0, 2},
                   .gold = {1},
                   .char_len = {3, 1},
                   .byte_len = {3, 1}};
  write_requests(path, {.tasks = {task},
                        .tokenizer_sha256 = std::string(64, 'a'),
                        .vocab_size = 1000,
                        .bos_id = 1,
                        .max_length = 8,
                        .made_by = "native"});
}

}  // namespace
}  // namespace btc::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "write_seeds DIRECTORY\n";
    return 2;
  }
  const std::filesystem::path out = argv[1];
  const btc::test::Scratch scratch("seeds");
  for (const char* name :
       {"packed_block_fuzz", "safetensors_fuzz", "token_file_fuzz", "requests_fuzz"}) {
    std::filesystem::create_directories(out / name);
  }
  btc::fuzz::write_packed_blocks(out / "packed_block_fuzz", scratch.path());
  btc::fuzz::write_tensors(out / "safetensors_fuzz/small.safetensors");
  btc::fuzz::write_token_files(out / "token_file_fuzz");
  btc::fuzz::write_request_file(out / "requests_fuzz/piqa.h5");
}
