#pragma once
/// One run: the list of stages, in order.

#include "backend/backend.hpp"
#include "comm/communicator.hpp"
#include "comm/device_communicator.hpp"
#include "config/pipeline_config.hpp"
#include "model/torch_place.hpp"
#include "pipeline/stop_request.hpp"

namespace btc {

/// How a run ended.
enum class RunOutcome {
  kDone,         ///< work was done, and now everything is finished
  kNothingToDo,  ///< everything was finished before
  kStopped,      ///< a stop request was seen at a unit boundary; the same command goes on
};

/// Whether several ranks of a run exchange anything by way of their devices: hidden states where
/// blocks run on devices, with the CUDA backend the counts of a codebook of scope `model`.
/// @param place of this rank; on the CPU or on a device on all ranks
bool needs_device_communicator(const PipelineConfig& config, const TorchPlace& place);

/// Runs or resumes. Collective; all ranks get the same outcome.
/// @param place where LibTorch runs blocks on this rank; on the CPU or on a device on all ranks
/// @param device between the ranks; null where one rank is enough or
///        `needs_device_communicator` says no. It must outlive every exception of this
/// @throws StageFailed on every rank when something failed on any; other errors on the failing rank
///         alone (the caller must end all ranks then)
RunOutcome run_pipeline(const PipelineConfig& config, const Communicator& comm, Backend& backend,
                        TorchPlace place, DeviceCommunicator* device, StopRequest& stop);

/// `--plan`: what the run would do, as text. @throws ConfigError, InputError
std::string describe_planned_run(const PipelineConfig& config, int ranks);

}  // namespace btc
