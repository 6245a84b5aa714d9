/// Reading an activation file sequence by sequence: read-ahead, checksum, conversion to fp32.
///
/// Peer: plain sequential reads of the same file in pieces of the same size, nothing done with
/// them. Both read in turns, by the wall clock, because the reader works in two threads. `cold`:
/// the pages are dropped before each reading, so that both wait for the disk, as in a run whose
/// files do not fit in memory. Else the peer copies out of the page cache, while ours also hashes
/// and converts. `work_ms` is what both do with each sequence before they ask for the next.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "bench/side_by_side.hpp"
#include "calibration/activation_store.hpp"
#include "common/half.hpp"
#include "common/timer.hpp"
#include "io/hdf5_file.hpp"
#include "support/scratch.hpp"

namespace btc {
namespace {

constexpr std::size_t kSequences = 24;
constexpr std::size_t kTokens = 2048;
constexpr std::size_t kHidden = 4096;
constexpr std::size_t kPiece = kTokens * kHidden * sizeof(std::uint16_t);

/// A value that depends on its place.
float value_at(std::size_t sequence, std::size_t token, std::size_t column) {
  return static_cast<float>((sequence * 31 + token * 7 + column) % 251) * 0.5F - 60.0F;
}

void write_store(const std::filesystem::path& path) {
  ActivationWriter writer(path, {0, kSequences, kTokens, kHidden, "bench"});
  Matrix<float> hidden(kTokens, kHidden);
  for (std::size_t s = 0; s < kSequences; ++s) {
    for (std::size_t t = 0; t < kTokens; ++t) {
      for (std::size_t i = 0; i < kHidden; ++i) {
        hidden(t, i) = value_at(s, t, i);
      }
    }
    writer.write(s, hidden.view());
  }
  writer.commit();
}

void drop_pages(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY);
  ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
  ::close(descriptor);
}

void work(int milliseconds) {
  if (milliseconds > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  }
}

double read_plainly(const std::filesystem::path& path, std::vector<std::byte>& piece, int work_ms) {
  const Timer timer;
  const int descriptor = ::open(path.c_str(), O_RDONLY);
  ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
  while (::read(descriptor, piece.data(), piece.size()) > 0) {
    benchmark::DoNotOptimize(piece.data());
    work(work_ms);
  }
  ::close(descriptor);
  return timer.seconds();
}

double read_store(const std::filesystem::path& path, Matrix<float>& hidden, int work_ms) {
  const Timer timer;
  ActivationReader reader(path);
  for (std::size_t s = 0; s < kSequences; ++s) {
    reader.next(hidden.view());
    benchmark::DoNotOptimize(hidden.data());
    work(work_ms);
  }
  return timer.seconds();
}

bool is_exact(const std::filesystem::path& path) {
  ActivationReader reader(path);
  for (std::size_t s = 0; s < kSequences; ++s) {
    const Matrix<float> hidden = reader.next();
    for (std::size_t t = 0; t < kTokens; ++t) {
      for (std::size_t i = 0; i < kHidden; ++i) {
        if (hidden(t, i) != value_at(s, t, i)) {
          return false;
        }
      }
    }
  }
  return true;
}

void BM_ReadActivations(benchmark::State& state) {  // NOLINT(readability-identifier-naming)
  const bool cold = state.range(0) != 0;
  const int work_ms = static_cast<int>(state.range(1));
  const test::Scratch scratch("bench-activations");
  const auto path = scratch.path() / "block-00000.h5";
  write_store(path);
  Matrix<float> hidden(kTokens, kHidden);
  std::vector<std::byte> piece(kPiece);
  std::vector<double> ours;
  std::vector<double> peer;
  const bool exact = is_exact(path);
  for (auto _ : state) {
    for (const bool own_turn : {false, true}) {
      if (cold) {
        drop_pages(path);
      }
      if (own_turn) {
        ours.push_back(read_store(path, hidden, work_ms));
        state.SetIterationTime(ours.back());
      } else {
        peer.push_back(read_plainly(path, piece, work_ms));
      }
    }
  }
  const double bytes = static_cast<double>(kSequences * kPiece);
  bench::report(state, {bench::median(ours), bench::median(peer), 0.0}, 1.0, exact);
  state.counters["gb_per_s"] = bytes / bench::median(ours) * 1e-9;
  state.counters["peer_gb_per_s"] = bytes / bench::median(peer) * 1e-9;
}
BENCHMARK(BM_ReadActivations)
    ->ArgNames({"cold", "work_ms"})
    ->Args({1, 0})
    ->Args({0, 0})
    ->Args({1, 20})
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace btc
