#pragma once
/// Whether BOS goes in front of the requests of a task.

#include <array>
#include <string_view>

namespace btc {

/// `auto`: as the tokenizer does by itself (the harness from 0.4.9.2 on); false: never (before
/// that, and in the papers).
enum class AddBos { kAuto, kTrue, kFalse };
inline constexpr std::array<std::string_view, 3> kAddBosNames = {"auto", "true", "false"};

}  // namespace btc
