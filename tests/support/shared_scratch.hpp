#pragma once
/// A directory that all ranks of a test share.

#include <filesystem>
#include <optional>
#include <string>

#include "comm/communicator.hpp"
#include "support/scratch.hpp"

namespace btc::test {

/// Made by rank 0, and removed by it when all are done with it. Collective.
class SharedScratch {
 public:
  explicit SharedScratch(const std::string& name) : comm_(Communicator::world()) {
    if (comm_.rank() == 0) {
      own_.emplace(name);
    }
    path_ = comm_.broadcast(own_.has_value() ? own_->path().string() : "");
  }
  ~SharedScratch() { comm_.barrier(); }
  SharedScratch(const SharedScratch&) = delete;
  SharedScratch& operator=(const SharedScratch&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  Communicator comm_;
  std::optional<Scratch> own_;
  std::filesystem::path path_;
};

}  // namespace btc::test
