#pragma once
/// Names the place of a defect in a packed file.

#include <cstddef>
#include <string>

#include "common/error.hpp"

namespace btc {

/// Where the bytes of a tensor come from.
struct TensorOrigin {
  std::string file;
  std::string tensor;
  std::size_t offset = 0;  ///< of the tensor's first byte in the file

  /// @param byte counted from the tensor's first
  /// @throws FormatError `file: tensor, byte N: parts...`, with N counted in the file
  template <typename... Parts>
  [[noreturn]] void fail(std::size_t byte, const Parts&... parts) const {
    BTC_THROW(FormatError, file, ": ", tensor, ", byte ", offset + byte, ": ", parts...);
  }
};

}  // namespace btc
