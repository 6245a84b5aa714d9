#include "pipeline/capture.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "calibration/activation_store.hpp"
#include "calibration/shared_activation_writer.hpp"
#include "comm/agree.hpp"
#include "common/error.hpp"
#include "common/hash.hpp"
#include "model/block_forward.hpp"
#include "pipeline/progress.hpp"

namespace btc {

namespace {

ActivationHeader header_of(const Unit& unit, int block, const Matrix<std::int32_t>& sequences,
                           std::size_t hidden) {
  return {block, sequences.rows(), sequences.cols(), hidden, unit.fingerprint};
}

/// The input of block 0: embeddings, written by all ranks into one file, each its own sequences.
void write_embeddings(const Communicator& comm, const Unit& unit, const ModelSource& model,
                      const Matrix<std::int32_t>& sequences) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  const std::size_t hidden = model.config().hidden;
  SharedActivationWriter writer(comm, unit.file, header_of(unit, 0, sequences, hidden));
  for (std::size_t first = 0; first < sequences.rows(); first += ranks) {
    const std::size_t mine = first + static_cast<std::size_t>(comm.rank());
    Matrix<float> embedded;
    if (mine < sequences.rows()) {
      agree(comm, "embedding", [&] {
        embedded = model.embed(sequences.row(mine));
        round_to_bf16(embedded.view());
      });
      writer.write(mine, embedded.view());
    } else {
      agree(comm, "embedding", [] {});
      writer.write_nothing();
    }
  }
  writer.commit();
}

/// One rank's part of a wave.
struct WavePart {
  int block = 0;  ///< whose weights run here
  int from = -1;  ///< rank that sends the input; -1: the file of the block's own unit
  int to = -1;    ///< rank that takes the output as well; -1: none
};

/// Sequences of a file that an earlier wave left.
class StoredInput {
 public:
  StoredInput(const UnitStore& store, const Unit& unit) : store_(store), unit_(unit) {
    store_.read(unit_, [&] { reader_.emplace(unit_.file); });
  }
  /// The bits of the next one.
  void next(MatrixView<std::uint16_t> bits) {
    store_.read(unit_, [&] { reader_->next(bits); });
  }

 private:
  const UnitStore& store_;
  const Unit& unit_;
  std::optional<ActivationReader> reader_;
};

void run_wave_part(const StageRunner& runner, const WavePart& part, const std::vector<Unit>& units,
                   const ModelSource& model, const Matrix<std::int32_t>& sequences,
                   TorchPlace place, HiddenLink& link) {
  const std::size_t width = model.config().hidden;
  const BlockForward forward(model.config(), model.load_block(part.block), place);
  std::optional<StoredInput> stored;
  if (part.from < 0) {
    stored.emplace(runner.store(), units.at(static_cast<std::size_t>(part.block)));
  }
  const Unit& unit = units.at(static_cast<std::size_t>(part.block) + 1);
  ActivationWriter writer(unit.file, header_of(unit, part.block + 1, sequences, width));
  Matrix<std::uint16_t> bits(sequences.cols(), width);  // as they are in the files
  const auto next_input = [&] {
    if (stored) {
      stored->next(bits.view());
      return HiddenStates(bits.view(), place);
    }
    HiddenStates input(sequences.cols(), width, place);
    link.receive(part.from, input);
    return input;
  };
  for (std::size_t s = 0; s < sequences.rows(); ++s) {
    const HiddenStates output = forward.run(next_input());
    if (part.to >= 0) {
      link.send(part.to, output);
    }
    output.copy_to(bits.view());
    writer.write(s, bits.view());
  }
  writer.commit();
}

void record_capture(const UnitStore& store, const Unit& unit, double seconds) {
  store.record(unit, {.bytes = std::filesystem::file_size(unit.file),
                      .sha256 = sha256_file(unit.file),
                      .seconds = seconds,
                      .note = {},
                      .payload = "null"});
}

/// Blocks first-1 ... of the wave write units first, first + 1, ...
void run_wave(StageRunner& runner, const std::vector<Unit>& units, std::size_t first,
              std::size_t count, const ModelSource& model, const Matrix<std::int32_t>& sequences,
              TorchPlace place, HiddenLink& link) {
  const int rank = runner.comm().rank();
  if (std::cmp_greater_equal(rank, count)) {
    return;  // fewer blocks left than ranks
  }
  const WavePart part = {.block = narrow<int>(first) - 1 + rank,
                         .from = rank - 1,
                         .to = std::cmp_less(rank + 1, count) ? rank + 1 : -1};
  try {
    const Timer timer;
    run_wave_part(runner, part, units, model, sequences, place, link);
    record_capture(runner.store(), units[first + static_cast<std::size_t>(rank)], timer.seconds());
  } catch (const UserError& error) {
    BTC_THROW(InputError, "capture, block ", part.block, ": ", error.what());
  } catch (const std::exception& error) {
    BTC_THROW(Error, "capture, block ", part.block, ": ", error.what());
  }
}

}  // namespace

std::size_t capture_activations(StageRunner& runner, const std::vector<Unit>& units,
                                const ModelSource& model, const Matrix<std::int32_t>& sequences,
                                TorchPlace place, HiddenLink& link) {
  const std::vector<std::size_t> todo = runner.unfinished(units);
  if (todo.empty()) {
    return 0;
  }
  const Communicator& comm = runner.comm();
  Progress progress("capture", units.size(), units.size() - todo.size(), comm.rank() == 0);
  std::size_t written = 0;
  double longest = 0;
  auto next_todo = todo.begin();
  while (next_todo != todo.end()) {
    runner.stop_point(longest);
    const Timer timer;
    const std::size_t next = *next_todo;
    const std::size_t count =
        next == 0 ? 1 : std::min(static_cast<std::size_t>(comm.size()), units.size() - next);
    if (next == 0) {
      write_embeddings(comm, units[0], model, sequences);
      agree(comm, "recording the embeddings", [&] {
        if (comm.rank() == 0) {
          record_capture(runner.store(), units[0], timer.seconds());
        }
      });
    } else {
      run_wave(runner, units, next, count, model, sequences, place, link);
      comm.barrier();
    }
    longest = std::max(longest, timer.seconds());
    for (; next_todo != todo.end() && *next_todo < next + count; ++next_todo) {
      progress.finished(units[*next_todo].name, concat(sequences.rows(), " sequences"));
    }
    written += count;
  }
  return written;
}

}  // namespace btc
