#pragma once
/// Deals units of work to ranks as they ask, so that slow units do not hold up the others.

#include <functional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"

namespace btc {

/// How a queue ended.
struct QueueOutcome {
  bool stopped = false;  ///< a stop request was seen: some units were not handed out
};

/// How rank 0 hears of finished units, for a progress line; both may be empty.
struct QueueReports {
  /// Called on the rank that finished a unit: what to tell about it.
  std::function<std::string(int unit)> describe;
  /// Called on rank 0 with that text, in the dealer's thread, when the rank asks for its next unit.
  std::function<void(int unit, const std::string& text)> finished;
};

/// Runs `work(unit)` for every entry of `units` on some rank, in the order given as far as ranks
/// are free. Collective; the list must be the same on all ranks. All ranks leave together, when the
/// last unit is done.
/// @param stop_requested asked on a rank each time it asks for a unit; after the first true no
///        further units are dealt anywhere
/// @throws StageFailed on every rank if `work` or `stop_requested` threw on any; units not yet
///         dealt are not begun then. A failure that should not hold up the other units is caught in
///         `work`
/// The dealer is a thread on rank 0 with its own communicator: probes, never blocking receives.
QueueOutcome run_queue(const Communicator& comm, const std::vector<int>& units,
                       const std::function<void(int)>& work,
                       const std::function<bool()>& stop_requested,
                       const QueueReports& reports = {});

}  // namespace btc
