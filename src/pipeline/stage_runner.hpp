#pragma once
/// Runs the units of a stage over the ranks: skip what is finished, compute the rest, record each.

#include <cstddef>
#include <exception>
#include <functional>
#include <vector>

#include "comm/communicator.hpp"
#include "pipeline/state.hpp"
#include "pipeline/stop_request.hpp"

namespace btc {

/// Thrown on every rank when a stop request was seen: the state is good, the same command goes on.
class Stopped : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "stopped at a unit boundary"; }
};

class StageRunner {
 public:
  /// All three live as long as this.
  StageRunner(const Communicator& comm, const UnitStore& store, StopRequest& stop)
      : comm_(comm), store_(store), stop_(stop) {}

  /// Indices of the units that are not finished: decided by rank 0 from the records, equal on all
  /// ranks. Collective.
  [[nodiscard]] std::vector<std::size_t> unfinished(const std::vector<Unit>& units) const;

  /// Computes the unfinished units of one stage, each on some rank, dealt as ranks become free.
  /// Collective. After a failure no further unit is begun.
  /// @param work makes the file of units[i] (under its final name, atomically) and describes it;
  ///        runs on one rank, without collective calls; may end with `leave_point`
  /// @return how many units were computed
  /// @throws StageFailed on every rank if any unit failed, Stopped on every rank after a stop
  std::size_t run(const std::vector<Unit>& units,
                  const std::function<UnitResult(std::size_t)>& work);

  /// Throws Stopped on every rank if any has a stop request. Collective; for lockstep stages.
  void stop_point(double longest_unit_seconds = 0);

  /// Inside the work on a long unit, once it can go on from a file: throws Stopped, which ends this
  /// rank's work and then the stage, if this rank has a stop request.
  /// @param next_seconds until the next such point
  void leave_point(double next_seconds);

  [[nodiscard]] const Communicator& comm() const { return comm_; }
  [[nodiscard]] const UnitStore& store() const { return store_; }

 private:
  const Communicator& comm_;
  const UnitStore& store_;
  StopRequest& stop_;
};

}  // namespace btc
