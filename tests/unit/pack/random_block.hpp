#pragma once
/// A random PackedBlock and the copied tensors it borrows.

#include <array>
#include <string>
#include <vector>

#include "common/half.hpp"
#include "common/linear_code.hpp"
#include "random_linear.hpp"

namespace btc::test {

/// Owns what `block` refers to.
struct RandomBlock {
  PackedFormat format;
  PackedBlock block;
  std::vector<Pattern> model_codewords;  ///< scope model
  std::vector<std::uint16_t> norm = std::vector<std::uint16_t>(24, 0x3f80);

  RandomBlock(const PackedFormat& wanted, std::size_t stored_codewords, std::size_t salient,
              std::uint64_t seed, double upper_share = 0.5, std::size_t cols = 203)
      : format(wanted) {
    Rng rng(seed);
    block.block = 3;
    block.fingerprint = std::string(64, 'a');
    model_codewords = format.codec == Codec::kLinear2016
                          ? linear_code_words()
                          : random_codewords(stored_codewords, format.vector_length, rng);
    std::vector<std::vector<Pattern>> codewords = {model_codewords};
    for (const LinearKind kind : kLinearKinds) {
      if (format.vector_length > 0 && format.scope == CodebookScope::kLinear) {
        codewords = {random_codewords(stored_codewords, format.vector_length, rng)};
        block.codebooks.push_back({format.vector_length, codewords[0], 0, 0});
      }
      if (format.scope == CodebookScope::kBlockGroup) {
        codewords.clear();
        const SignGroups sets{format.groups, format.salient_groups, format.salient};
        const std::size_t count = ceil_div(cols, format.panel) * (format.masked ? sets.sets() : 1);
        for (std::size_t k = 0; k < count; ++k) {
          codewords.push_back(random_codewords(stored_codewords + k, format.vector_length, rng));
          block.codebooks.push_back({format.vector_length, codewords.back(), 0, 0});
        }
      }
      RandomShape shape{5 + index_of(kind), cols, {}, upper_share};
      for (std::size_t k = 0; k < salient; ++k) {
        shape.salient.push_back(static_cast<std::uint32_t>(200 * k / salient + index_of(kind) % 3));
      }
      block.linear.at(index_of(kind)) = random_linear(shape, format, codewords, rng);
    }
    if (format.vector_length > 0 && format.scope == CodebookScope::kBlock) {
      block.codebooks.push_back({format.vector_length, codewords[0], 0, 0});
    }
    if (format.transform) {
      for (const SharedInput input : kSharedInputs) {
        KroneckerFactors& factors = block.transform.at(index_of(input));
        factors.p1 = random_factor(7, rng);  // 203 columns = 7 x 29
        if (input != SharedInput::kO) {
          factors.p2 = random_factor(cols / 7, rng);
        }
      }
    }
    block.copied.push_back({"model.layers.3.input_layernorm.weight",
                            DType::kBf16,
                            {24},
                            std::as_bytes(std::span(norm))});
    block.copied.push_back({"model.layers.3.self_attn.q_proj.bias",
                            DType::kBf16,
                            {24},
                            std::as_bytes(std::span(norm))});
  }
  static Matrix<float> random_factor(std::size_t size, Rng& rng) {
    Matrix<float> factor(size, size);
    for (float& value : factor.values()) {
      value = round_to_fp16(static_cast<float>(rng.normal()));
    }
    return factor;
  }
  RandomBlock(const RandomBlock&) = delete;
  RandomBlock& operator=(const RandomBlock&) = delete;
};

}  // namespace btc::test
