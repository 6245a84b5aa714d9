#pragma once
/// Names of the parts of a transformer: blocks, the Linears of a block, the inputs they share.

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace btc {

/// The seven Linears of a transformer block, in the order in which they are computed.
enum class LinearKind { kQ, kK, kV, kO, kGate, kUp, kDown };
inline constexpr std::array<LinearKind, 7> kLinearKinds = {
    LinearKind::kQ,    LinearKind::kK,  LinearKind::kV,   LinearKind::kO,
    LinearKind::kGate, LinearKind::kUp, LinearKind::kDown};

/// The four inputs inside a block; Linears that share an input share its Hessian.
enum class SharedInput { kQkv, kO, kGateUp, kDown };
inline constexpr std::array<SharedInput, 4> kSharedInputs = {
    SharedInput::kQkv, SharedInput::kO, SharedInput::kGateUp, SharedInput::kDown};

constexpr std::size_t index_of(LinearKind kind) { return static_cast<std::size_t>(kind); }
constexpr std::size_t index_of(SharedInput input) { return static_cast<std::size_t>(input); }

/// `q_proj`, `k_proj`, ...
std::string_view name_of(LinearKind kind);
/// `qkv`, `o`, `gate_up`, `down`.
std::string_view name_of(SharedInput input);
/// Where the Linear takes its input from.
SharedInput input_of(LinearKind kind);
/// Hugging Face name without `.weight`: `model.layers.17.self_attn.q_proj`.
std::string linear_name(int block, LinearKind kind);
/// `block-00017`: the file stem of everything that belongs to one block.
std::string block_stem(int block);

}  // namespace btc
