#include "comm/work_queue.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <sstream>
#include <thread>

#include "comm/agree.hpp"
#include "comm/mpi_check.hpp"
#include "common/error.hpp"
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

/// What a rank says when it asks for a unit: `<0|1 wants a stop> <index done before, or -1>
/// <text>`.
std::string make_request(bool wants_stop, int done, const std::string& text) {
  return concat(wants_stop ? 1 : 0, " ", done, " ", text);
}

std::string receive_request(MPI_Comm comm, MPI_Status& status) {
  int size = 0;
  mpi_check(MPI_Get_count(&status, MPI_CHAR, &size), "MPI_Get_count");
  std::string request(static_cast<std::size_t>(size), ' ');
  mpi_check(MPI_Recv(request.data(), size, MPI_CHAR, status.MPI_SOURCE, kRequestTag, comm, &status),
            "MPI_Recv");
  return request;
}

/// Passes on what the request says of a finished unit. @return whether it wants a stop
bool read_request(const std::string& request, const std::vector<int>& units,
                  const QueueReports& reports) {
  std::istringstream stream(request);
  int wants_stop = 0;
  int done = -1;
  stream >> wants_stop >> done;
  stream.get();
  if (done >= 0 && reports.finished) {
    std::string text;
    std::getline(stream, text);
    reports.finished(units[static_cast<std::size_t>(done)], text);
  }
  return wants_stop != 0;
}

/// Answers requests until every rank has been told that there is nothing more to do. Ranks hear
/// that together, after the last unit, so that none waits for the others in a busy collective call.
void deal(MPI_Comm comm, int ranks, const std::vector<int>& units, const QueueReports& reports) {
  const int count = narrow<int>(units.size());
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
    stop = read_request(receive_request(comm, status), units, reports) || stop;
    if (stop || next == count) {
      ++idle;
      continue;
    }
    mpi_check(MPI_Send(&next, 1, MPI_INT, status.MPI_SOURCE, kAnswerTag, comm), "MPI_Send");
    ++next;
  }
  const int last = next < count ? kStopped : kAllDealt;
  for (int rank = 0; rank < ranks; ++rank) {
    mpi_check(MPI_Send(&last, 1, MPI_INT, rank, kAnswerTag, comm), "MPI_Send");
  }
}

/// One request to the dealer. @return its answer
int ask(MPI_Comm comm, const std::string& request) {
  int answer = kAllDealt;
  std::array<MPI_Request, 2> pending{};
  mpi_check(MPI_Irecv(&answer, 1, MPI_INT, 0, kAnswerTag, comm, pending.data()), "MPI_Irecv");
  mpi_check(MPI_Isend(request.data(), narrow<int>(request.size()), MPI_CHAR, 0, kRequestTag, comm,
                      &pending[1]),
            "MPI_Isend");
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
                       const std::function<bool()>& stop_requested, const QueueReports& reports) {
  const Communicator own = comm.duplicate();
  MPI_Comm channel = handle_of(own);
  std::thread dealer;
  if (own.rank() == 0) {
    dealer = std::thread([&] { deal(channel, own.size(), units, reports); });
  }
  // After a failure this rank goes on asking, and wants a stop, until all ranks leave together.
  std::exception_ptr failure;
  int answer = kAllDealt;
  int done = -1;
  std::string text;
  do {
    bool wants_stop = failure != nullptr;
    try {
      wants_stop = wants_stop || stop_requested();
    } catch (...) {
      failure = std::current_exception();
      wants_stop = true;
    }
    answer = ask(channel, make_request(wants_stop, done, text));
    done = -1;
    try {
      if (answer >= 0) {
        const int unit = units[static_cast<std::size_t>(answer)];
        work(unit);
        text = reports.describe ? reports.describe(unit) : std::string();
        done = answer;
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
