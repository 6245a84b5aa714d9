#pragma once
/// Which channels of a block's output the original model's predictions depend on.

#include <cstddef>
#include <cstdint>
#include <functional>

#include "common/matrix.hpp"
#include "model/model_source.hpp"
#include "model/torch_place.hpp"
#include "refine/block_loss.hpp"

namespace btc {

/// The diagonal of the empirical Fisher information of every block's output h [T, hidden]:
/// mean over the tokens of all sequences of (dL/dh_c)^2, where L is the negative log-likelihood of
/// a sequence's ids, each after those before it, summed over the sequence. Divided by its mean over
/// the channels of the block; all ones where it is zero throughout.
///
/// Blocks from last to first, one in memory at a time; of every sequence the gradient for one
/// block's output is kept, [sequences, T, hidden] in all. Sums in double, in the order of the
/// sequences.
/// @param ids [S, T] of the sequences
/// @param open inputs of block b of these sequences, in their order, from the original model
/// @param place where blocks and head run
/// @return [blocks, hidden]
/// @throws NumericError naming a block whose gradients are not finite
Matrix<float> channel_fisher(const ModelSource& original, const Matrix<std::int32_t>& ids,
                             const std::function<SequenceStream(int block)>& open,
                             TorchPlace place = {});

}  // namespace btc
