#pragma once
/// A list of codewords on the device, with the nearest codeword (Hamming) of every pattern.

#include <memory>
#include <vector>

#include "backend/backend.hpp"
#include "cuda/runtime/array.cuh"

namespace btc::cuda {

class CodewordSearch final : public btc::CodewordSearch {
 public:
  /// @param codewords [c], copied to the device
  /// @pre `check_codewords` passed and the context is current
  CodewordSearch(std::shared_ptr<const Context> context, std::span<const Pattern> codewords,
                 int vector_length);

  [[nodiscard]] int vector_length() const override { return vector_length_; }
  [[nodiscard]] std::span<const Pattern> codewords() const override { return codewords_; }
  void nearest(std::span<const Pattern> patterns, std::span<std::uint32_t> index) const override;
  void nearest_weighted(std::span<const Pattern> own, MatrixView<const std::int32_t> costs,
                        std::span<std::uint32_t> index) const override;

  /// [c] codewords, on the device.
  [[nodiscard]] std::span<const Pattern> device_codewords() const {
    return device_codewords_.span();
  }
  /// [2^v] label of the nearest codeword of each pattern, tie -> lowest; on the device.
  [[nodiscard]] std::span<const std::uint32_t> device_labels() const { return labels_.span(); }

 private:
  std::shared_ptr<const Context> context_;
  int vector_length_;
  std::vector<Pattern> codewords_;
  DeviceArray<Pattern> device_codewords_;
  DeviceArray<std::uint32_t> labels_;
};

}  // namespace btc::cuda
