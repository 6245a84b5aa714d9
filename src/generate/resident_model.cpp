#include "generate/resident_model.hpp"

#include <utility>

#include "pack/packed_directory.hpp"

namespace btc {
namespace {

std::size_t bytes_of(const std::vector<float>& values) { return values.size() * sizeof(float); }

ResidentModel with_outer_parts(std::unique_ptr<const ModelSource> source) {
  ResidentModel model;
  model.final_norm = source->final_norm();
  model.head = DenseRows(source->head());
  model.source = std::move(source);
  return model;
}

}  // namespace

ResidentBytes ResidentModel::bytes() const {
  ResidentBytes sum;
  sum.head = btc::bytes_of(head);
  sum.other = bytes_of(final_norm);
  for (const ResidentBlock& block : blocks) {
    for (const ResidentMatrix& linear : block.linear) {
      sum.linears += btc::bytes_of(linear);
    }
    for (const OnlineTransform& transform : block.transform) {
      sum.linears += (transform.left.size() + transform.right.size()) * sizeof(double);
    }
    for (const std::vector<float>& bias : block.rest.bias) {
      sum.other += bytes_of(bias);
    }
    sum.other += bytes_of(block.rest.input_norm) + bytes_of(block.rest.post_attention_norm) +
                 bytes_of(block.rest.q_norm) + bytes_of(block.rest.k_norm);
  }
  return sum;
}

ResidentModel load_dense(std::unique_ptr<const ModelSource> source) {
  ResidentModel model = with_outer_parts(std::move(source));
  for (int b = 0; b < model.config().blocks; ++b) {
    ResidentBlock& block = model.blocks.emplace_back();
    block.rest = model.source->load_block(b);
    for (Matrix<float>& linear : block.rest.linear) {
      block.linear.emplace_back(DenseRows(std::exchange(linear, {})));
    }
  }
  return model;
}

ResidentModel load_packed(std::unique_ptr<const PackedModel> packed) {
  const PackedModel& source = *packed;
  ResidentModel model = with_outer_parts(std::move(packed));
  for (int b = 0; b < model.config().blocks; ++b) {
    ResidentBlock& block = model.blocks.emplace_back();
    block.rest = source.load_rest(b);
    for (const LinearKind kind : kLinearKinds) {
      block.linear.emplace_back(PlaneRows(source.directory().linear(b, kind)));
    }
    const OnlineFactors factors = source.directory().transform(b);
    for (std::size_t i = 0; i < factors.size(); ++i) {
      block.transform.at(i) = {widen(factors.at(i).p1), widen(factors.at(i).p2)};
    }
  }
  return model;
}

}  // namespace btc
