#pragma once
/// What a run wrote down about the quality of a unit.

#include <string>

namespace btc {

struct RunNote {
  int sweep = 1;
  std::string stage;
  std::string unit;  ///< `block-00003`, `epoch-2`
  std::string note;  ///< in words: `relative error mean 0.2, worst 0.3 (down_proj)`
};

}  // namespace btc
