#include "pipeline/transforms.hpp"

#include <gmock/gmock.h>

#include <filesystem>

#include "support/scratch.hpp"

namespace btc {
namespace {

ModelConfig small_model() {
  ModelConfig model;
  model.hidden = 24;
  model.intermediate = 40;
  model.heads = 4;
  model.kv_heads = 2;
  model.head_dim = 6;
  return model;
}

TEST(TransformFile, ComesBackAsItWas) {
  const test::Scratch scratch("transform-file");
  const auto path = scratch.path() / "block-00000.h5";
  const BlockTransform transform = random_transform(small_model(), {}, 3);
  const std::uint64_t bytes = write_transform(path, transform, "f");
  EXPECT_EQ(bytes, std::filesystem::file_size(path));
  EXPECT_EQ(read_transform(path, small_model()), transform);
}

TEST(TransformFile, OfAnotherModelIsRefused) {
  const test::Scratch scratch("transform-file");
  const auto path = scratch.path() / "block-00000.h5";
  write_transform(path, random_transform(small_model(), {}, 3), "f");
  ModelConfig other = small_model();
  other.intermediate = 48;
  EXPECT_THROW(read_transform(path, other), FormatError);
}

}  // namespace
}  // namespace btc
