/// packed_logits MODEL OUT ID...: logits [T, vocab] of a packed model for one sequence, as F32
/// tensor `logits` of a safetensors file. The forward pass is the one that evaluation uses.

#include <charconv>
#include <iostream>
#include <span>
#include <string_view>
#include <vector>

#include "common/error.hpp"
#include "io/safetensors.hpp"
#include "model/block_forward.hpp"
#include "pack/packed_model.hpp"

namespace btc {
namespace {

std::int32_t parse_id(std::string_view text) {
  std::int32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  BTC_REQUIRE(InputError, error == std::errc() && end == text.data() + text.size(), "\"", text,
              "\" is not an id");
  return id;
}

Matrix<float> logits_of(const ModelSource& model, std::span<const std::int32_t> ids) {
  Matrix<float> hidden = model.embed(ids);
  for (int block = 0; block < model.config().blocks; ++block) {
    hidden = BlockForward(model.config(), model.load_block(block)).run(hidden.view());
  }
  return HeadForward(model).logits(hidden.view());
}

void write_logits(const std::string& model, const std::string& out,
                  std::span<const std::string_view> words) {
  std::vector<std::int32_t> ids;
  for (const std::string_view word : words) {
    ids.push_back(parse_id(word));
  }
  configure_torch(1);
  const Matrix<float> logits = logits_of(*PackedModel::open(model), ids);
  const std::vector<std::int64_t> shape = {narrow<std::int64_t>(logits.rows()),
                                           narrow<std::int64_t>(logits.cols())};
  write_safetensors(
      out, {{"logits", DType::kF32, shape, std::as_bytes(std::span(logits.values()))}}, {});
}

}  // namespace
}  // namespace btc

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  if (words.size() < 3) {
    std::cerr << "usage: packed_logits MODEL OUT ID...\n";
    return 2;
  }
  try {
    btc::write_logits(std::string(words[0]), std::string(words[1]), std::span(words).subspan(2));
  } catch (const std::exception& error) {
    std::cerr << "packed_logits: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
