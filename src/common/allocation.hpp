#pragma once
/// How this process handles freed memory.

namespace btc {

/// Freed blocks of up to 32 MiB stay with the process. Matrices of a panel come and go by the
/// thousand; given back to the system, each would be cleared and paged in again. Call once, first.
void keep_freed_memory();

}  // namespace btc
