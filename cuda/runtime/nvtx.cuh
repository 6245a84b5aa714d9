#pragma once
/// Named ranges in the timeline of Nsight Systems. Without a profiler they cost next to nothing.

#include <nvtx3/nvToolsExt.h>

#include <string>

namespace btc::cuda {

/// From construction to destruction; ranges of several threads may overlap.
class NvtxRange {
 public:
  explicit NvtxRange(const std::string& name) : id_(nvtxRangeStartA(name.c_str())) {}
  ~NvtxRange() { nvtxRangeEnd(id_); }
  NvtxRange(const NvtxRange&) = delete;
  NvtxRange& operator=(const NvtxRange&) = delete;

 private:
  nvtxRangeId_t id_;
};

}  // namespace btc::cuda
