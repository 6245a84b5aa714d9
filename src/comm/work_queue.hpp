#pragma once
/// Deals units of work to ranks as they ask, so that slow units do not hold up the others.

#include <functional>
#include <vector>

#include "comm/communicator.hpp"

namespace btc {

/// How a queue ended.
struct QueueOutcome {
  bool stopped = false;  ///< a stop request was seen: some units were not handed out
};

/// Runs `work(unit)` for every entry of `units` on some rank, in the order given as far as ranks
/// are free. Collective; the list must be the same on all ranks. All ranks leave together, when the
/// last unit is done.
/// @param stop_requested asked on a rank each time it asks for a unit; after the first true no
///        further units are dealt anywhere
/// @throws StageFailed on every rank if `work` or `stop_requested` threw on any; units not yet
/// dealt
///         are not begun then. A failure that should not hold up the other units is caught in
///         `work`
/// The dealer is a thread on rank 0 with its own communicator: probes, never blocking receives.
QueueOutcome run_queue(const Communicator& comm, const std::vector<int>& units,
                       const std::function<void(int)>& work,
                       const std::function<bool()>& stop_requested);

}  // namespace btc
