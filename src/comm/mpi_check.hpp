#pragma once
/// Return codes of MPI as exceptions. Included by .cpp files only.

#include <mpi.h>

#include <array>
#include <cstddef>
#include <string_view>

#include "common/error.hpp"

namespace btc {

/// Most bytes, and most elements, that one MPI call moves: its counts are of type int.
inline constexpr std::size_t kMaxMpiCount = std::size_t{1} << 30U;

/// @throws MpiError with the library's text unless `code` is MPI_SUCCESS
inline void mpi_check(int code, std::string_view call) {
  if (code == MPI_SUCCESS) {
    return;
  }
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  BTC_THROW(MpiError, call, ": ", text.data(), " (code ", code, ")");
}

}  // namespace btc
