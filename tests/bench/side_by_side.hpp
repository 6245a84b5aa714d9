#pragma once
/// Times ours and a peer in turns. What runs on one thread is timed in its CPU seconds, because on
/// a busy machine the wall clock would measure the neighbours; what works elsewhere, by the wall
/// clock.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <vector>

namespace btc::bench {

inline double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

inline double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

using Clock = double (*)();

/// Seconds that `call` takes, by the clock.
template <typename Call>
double seconds(Call call, Clock now = thread_seconds) {
  const double begin = now();
  call();
  return now() - begin;
}

inline double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

/// Median seconds of ours and of the peer, and our shortest.
struct SideBySide {
  double ours = 0.0;
  double peer = 0.0;
  double ours_least = 0.0;
};

/// Runs ours in every iteration (reported as manual time) and the peer after each of the first
/// `peer_rounds`.
template <typename Ours, typename Peer>
SideBySide run_side_by_side(benchmark::State& state, std::size_t peer_rounds, Ours ours, Peer peer,
                            Clock now = thread_seconds) {
  std::vector<double> own_times;
  std::vector<double> peer_times;
  for (auto _ : state) {
    own_times.push_back(seconds(ours, now));
    state.SetIterationTime(own_times.back());
    if (peer_times.size() < peer_rounds) {
      peer_times.push_back(seconds(peer, now));
    }
  }
  if (own_times.empty()) {
    return {};
  }
  return {median(own_times), median(peer_times),
          *std::min_element(own_times.begin(), own_times.end())};
}

/// Sets the counters `peer_ratio` and `exact`; a run with another result than the peer's fails.
/// @param share  the part of our work that the peer did, for peers that run on a sample
inline void report(benchmark::State& state, const SideBySide& times, double share, bool exact) {
  state.counters["peer_ratio"] = times.peer / share / times.ours;
  state.counters["exact"] = exact ? 1.0 : 0.0;
  state.counters["least_us"] = times.ours_least * 1e6;
  if (!exact) {
    state.SkipWithError("the result differs from the peer's");
  }
}

}  // namespace btc::bench
