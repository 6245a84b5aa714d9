#pragma once
/// Exit codes that job scripts rely on.

namespace btc {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;     ///< may go away: a job script tries again, a few times
inline constexpr int kExitUserError = 2;  ///< every cause is a mistake in configuration or input
inline constexpr int kExitStopped = 85;   ///< stopped at a unit boundary: requeue

}  // namespace btc
