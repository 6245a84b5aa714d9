#pragma once
/// One activation file written by all ranks together, each its own sequences.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "calibration/activation_store.hpp"
#include "comm/communicator.hpp"
#include "common/matrix.hpp"

namespace btc {

/// Construction, every method and destruction are collective. Errors are agreed: what one rank
/// cannot write ends as StageFailed on every rank.
class SharedActivationWriter {
 public:
  SharedActivationWriter(const Communicator& comm, const std::filesystem::path& path,
                         const ActivationHeader& header);
  ~SharedActivationWriter();
  SharedActivationWriter(const SharedActivationWriter&) = delete;
  SharedActivationWriter& operator=(const SharedActivationWriter&) = delete;
  /// As ActivationWriter::write; each rank a sequence of its own.
  void write(std::size_t sequence, MatrixView<const float> hidden);
  /// Takes part in a `write` of the others.
  void write_nothing();
  /// @return size in bytes. StageFailed if not every sequence was written exactly once
  std::size_t commit();
  /// After `commit`: what `ActivationReader::content_hash` will say.
  [[nodiscard]] std::string content_hash() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace btc
