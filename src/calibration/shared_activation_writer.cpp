#include "calibration/shared_activation_writer.hpp"

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "calibration/activation_format.hpp"
#include "comm/agree.hpp"
#include "io/hdf5_parallel_file.hpp"

namespace btc {

struct SharedActivationWriter::State {
  State(const Communicator& ranks, const std::filesystem::path& path,
        const ActivationHeader& header)
      : comm(ranks.duplicate()), sequences(path, header), file(comm, path) {}

  Communicator comm;
  SequencePacker sequences;
  Hdf5ParallelFile file;
};

SharedActivationWriter::SharedActivationWriter(const Communicator& comm,
                                               const std::filesystem::path& path,
                                               const ActivationHeader& header)
    : state_(std::make_unique<State>(comm, path, header)) {
  Hdf5ParallelFile& file = state_->file;
  file.create_dataset(kHiddenDataset, Hdf5Type::kU16,
                      {header.sequences, header.tokens, header.hidden});
  file.create_dataset(kChecksumDataset, Hdf5Type::kU64, {header.sequences}, header.sequences);
  write_header(file, header);
}

SharedActivationWriter::~SharedActivationWriter() = default;

void SharedActivationWriter::write(std::size_t sequence, MatrixView<const float> hidden) {
  std::span<const std::uint16_t> bits;
  agree(state_->comm, "storing block inputs",
        [&] { bits = state_->sequences.pack(sequence, hidden); });
  state_->file.write_rows(kHiddenDataset, sequence, 1, bits);
}

void SharedActivationWriter::write_nothing() {
  agree(state_->comm, "storing block inputs", [] {});
  state_->file.write_rows<std::uint16_t>(kHiddenDataset, 0, 0, {});
}

std::size_t SharedActivationWriter::commit() {
  State& state = *state_;
  // Each sequence was packed on one rank, the others have 0 for it: sums put them together.
  std::vector<std::uint64_t> checksums = state.sequences.checksums();
  std::vector<std::uint64_t> counts = state.sequences.counts();
  state.comm.all_reduce_sum(checksums);
  state.comm.all_reduce_sum(counts);
  agree(state.comm, "storing block inputs", [&] {
    state.sequences.replace(std::move(checksums), std::move(counts));
    state.sequences.check_complete();
  });
  const auto& all = state.sequences.checksums();
  const bool first = state.comm.rank() == 0;
  state.file.write_rows<std::uint64_t>(
      kChecksumDataset, 0, first ? all.size() : 0,
      first ? std::span<const std::uint64_t>(all) : std::span<const std::uint64_t>());
  return state.file.commit();
}

std::string SharedActivationWriter::content_hash() const {
  return hash_of_checksums(state_->sequences.checksums());
}

}  // namespace btc
