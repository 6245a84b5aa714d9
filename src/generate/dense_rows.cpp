#include "generate/dense_rows.hpp"

#include <algorithm>
#include <utility>

#include "common/half.hpp"
#include "generate/lanes.hpp"

namespace btc {
namespace {

/// The values as 16 bits each, or nothing if one of them is not exact.
template <typename ToHalf, typename ToFloat>
std::vector<std::uint16_t> exact_halves(const std::vector<float>& values, ToHalf to_half,
                                        ToFloat to_float) {
  const bool exact = std::all_of(values.begin(), values.end(),
                                 [&](float value) { return to_float(to_half(value)) == value; });
  if (!exact) {
    return {};
  }
  std::vector<std::uint16_t> halves(values.size() + kLanes, 0);
  std::transform(values.begin(), values.end(), halves.begin(), to_half);
  return halves;
}

}  // namespace

DenseRows::DenseRows(Matrix<float> weights) : rows_(weights.rows()), cols_(weights.cols()) {
  halves_ = exact_halves(weights.values(), float_to_bf16, bf16_to_float);
  if (!halves_.empty()) {
    form_ = Form::kBf16;
    return;
  }
  halves_ = exact_halves(weights.values(), float_to_fp16, fp16_to_float);
  if (!halves_.empty()) {
    form_ = Form::kFp16;
    return;
  }
  floats_ = std::move(weights.values());
}

std::size_t DenseRows::bytes() const {
  return halves_.size() * sizeof(std::uint16_t) + floats_.size() * sizeof(float);
}

const char* DenseRows::dtype() const {
  return form_ == Form::kBf16 ? "bf16" : form_ == Form::kFp16 ? "fp16" : "fp32";
}

const float* DenseRows::row(std::size_t i, RowScratch& scratch) const {
  if (form_ == Form::kFp32) {
    return floats_.data() + i * cols_;
  }
  float* values = RowScratch::room(scratch.values, cols_);
  const std::uint16_t* from = halves_.data() + i * cols_;
  if (form_ == Form::kBf16) {
    for (std::size_t j = 0; j < cols_; j += kLanes) {
      store_lanes(values + j, bf16_lanes(load_halves(from + j)));
    }
  } else {
    for (std::size_t j = 0; j < cols_; j += kLanes) {
      store_lanes(values + j, fp16_lanes(load_halves(from + j)));
    }
  }
  return values;
}

}  // namespace btc
