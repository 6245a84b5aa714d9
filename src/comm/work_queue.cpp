#include "comm/work_queue.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <thread>

#include "comm/agree.hpp"
#include "comm/mpi_check.hpp"
#include "common/matrix.hpp"

namespace btc {
namespace {

constexpr int kRequestTag = 1;
constexpr int kAnswerTag = 2;
/// Answers that are not the index of a unit.
constexpr int kAllDealt = -1;
constexpr int kStopped = -2;

/// Between two looks at the network: a wait costs no core while others compute.
void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

MPI_Comm handle_of(const Communicator& comm) {
  return *static_cast<const MPI_Comm*>(comm.handle());
}

/// Answers requests until every rank has been told that there is nothing more to do. Ranks hear
/// that together, after the last unit, so that none waits for the others in a busy collective call.
void deal(MPI_Comm comm, int ranks, int units) {
  int next = 0;
  bool stop = false;
  for (int idle = 0; idle < ranks;) {
    int pending = 0;
    MPI_Status status;
    mpi_check(MPI_Iprobe(MPI_ANY_SOURCE, kRequestTag, comm, &pending, &status), "MPI_Iprobe");
    if (pending == 0) {
      pause();
      continue;
    }
    int wants_stop = 0;
    mpi_check(MPI_Recv(&wants_stop, 1, MPI_INT, status.MPI_SOURCE, kRequestTag, comm, &status),
              "MPI_Recv");
    stop = stop || wants_stop != 0;
    if (stop || next == units) {
      ++idle;
      continue;
    }
    mpi_check(MPI_Send(&next, 1, MPI_INT, status.MPI_SOURCE, kAnswerTag, comm), "MPI_Send");
    ++next;
  }
  const int last = next < units ? kStopped : kAllDealt;
  for (int rank = 0; rank < ranks; ++rank) {
    mpi_check(MPI_Send(&last, 1, MPI_INT, rank, kAnswerTag, comm), "MPI_Send");
  }
}

/// One request to the dealer. @return its answer
int ask(MPI_Comm comm, bool wants_stop) {
  const int request = wants_stop ? 1 : 0;
  int answer = kAllDealt;
  std::array<MPI_Request, 2> pending{};
  mpi_check(MPI_Irecv(&answer, 1, MPI_INT, 0, kAnswerTag, comm, pending.data()), "MPI_Irecv");
  mpi_check(MPI_Isend(&request, 1, MPI_INT, 0, kRequestTag, comm, &pending[1]), "MPI_Isend");
  for (int done = 0;;) {
    mpi_check(MPI_Testall(2, pending.data(), &done, MPI_STATUSES_IGNORE), "MPI_Testall");
    if (done != 0) {
      return answer;
    }
    pause();
  }
}

}  // namespace

QueueOutcome run_queue(const Communicator& comm, const std::vector<int>& units,
                       const std::function<void(int)>& work,
                       const std::function<bool()>& stop_requested) {
  const Communicator own = comm.duplicate();
  MPI_Comm channel = handle_of(own);
  std::thread dealer;
  if (own.rank() == 0) {
    dealer = std::thread(deal, channel, own.size(), narrow<int>(units.size()));
  }
  // After a failure this rank goes on asking, and wants a stop, until all ranks leave together.
  std::exception_ptr failure;
  int answer = kAllDealt;
  do {
    bool wants_stop = failure != nullptr;
    try {
      wants_stop = wants_stop || stop_requested();
    } catch (...) {
      failure = std::current_exception();
      wants_stop = true;
    }
    answer = ask(channel, wants_stop);
    try {
      if (answer >= 0) {
        work(units[static_cast<std::size_t>(answer)]);
      }
    } catch (...) {
      failure = std::current_exception();
    }
  } while (answer >= 0);
  if (dealer.joinable()) {
    dealer.join();
  }
  agree(own, "work queue", [&] {
    if (failure != nullptr) {
      std::rethrow_exception(failure);
    }
  });
  return {.stopped = answer == kStopped};
}

}  // namespace btc
