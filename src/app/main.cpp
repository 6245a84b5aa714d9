/// btc_pipeline: arguments, MPI, configuration, run, exit code.

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "comm/agree.hpp"
#include "comm/communicator.hpp"
#include "comm/device_binding.hpp"
#include "comm/device_communicator.hpp"
#include "common/allocation.hpp"
#include "common/error.hpp"
#include "common/exit_code.hpp"
#include "common/log.hpp"
#include "common/version.hpp"
#include "config/pipeline_config.hpp"
#include "model/block_forward.hpp"
#include "model/math_mode.hpp"
#include "model/torch_place.hpp"
#include "pipeline/environment_report.hpp"
#include "pipeline/run.hpp"

namespace btc {
namespace {

struct Arguments {
  std::string config;
  std::vector<std::string> overrides;
  bool plan = false;
  std::optional<double> max_hours;
};

/// @param device of this rank, for cuda
std::unique_ptr<Backend> make_backend(const ComputeParams& compute, int device) {
  switch (compute.backend) {
    case BackendKind::kReference:
      return make_reference_backend();
    case BackendKind::kCpu:
      return make_cpu_backend(compute.threads_per_rank);
    case BackendKind::kCuda:
      return make_cuda_backend(device, compute.threads_per_rank);
  }
  BTC_THROW(Error, "unknown backend");
}

/// The device that the backend computes on too, if this program's LibTorch can use it.
TorchPlace choose_torch_place(const ComputeParams& compute, int device) {
  if (compute.backend != BackendKind::kCuda) {
    return {};
  }
  const TorchPlace place = torch_place_of_rank(device);
  log_info(concat("blocks run on ", describe(place),
                  place.on_device() ? "" : " (built without BTC_TORCH_CUDA)"));
  return place;
}

/// Where this rank computes.
struct Compute {
  std::unique_ptr<Backend> backend;
  TorchPlace place;
  std::unique_ptr<DeviceCommunicator> between_devices;  ///< null where the run needs none
};

/// Opens the backend of every rank. The log of rank 0 says which rank has which device, and what
/// carries messages between them. Collective.
void open_compute(const PipelineConfig& config, const Communicator& comm, Compute& compute) {
  const ComputeParams& params = config.compute;
  const bool on_device = params.backend == BackendKind::kCuda;
  const int local_rank = comm.local_rank();
  const int devices = on_device ? cuda_device_count() : 0;
  int device = 0;
  agree(comm, "compute", [&] {
    configure_torch(params.threads_per_rank);
    device = on_device ? device_of_rank(local_rank, devices) : 0;
    compute.backend = make_backend(params, device);
    compute.place = choose_torch_place(params, device);
  });
  if (on_device) {
    for (const std::string& line : describe_devices(comm, local_rank, device, devices)) {
      log_info(line);
    }
  }
  if (comm.size() > 1 && needs_device_communicator(config, compute.place)) {
    compute.between_devices = make_device_communicator(comm, device);
    log_info("between devices: " + compute.between_devices->description());
  }
}

/// Rank 0 reads the file first, so that a mistake in it is reported once.
PipelineConfig read_config(const Arguments& arguments, const Communicator& comm) {
  PipelineConfig config;
  agree(comm, "configuration", [&] {
    if (comm.rank() == 0) {
      config = load_config(arguments.config, arguments.overrides);
    }
  });
  agree(comm, "configuration", [&] {
    if (comm.rank() != 0) {
      config = load_config(arguments.config, arguments.overrides);
    }
  });
  return config;
}

int run(const Arguments& arguments, Compute& compute) {
  const Communicator comm = Communicator::world();
  open_log(comm.rank(), {});
  const PipelineConfig config = read_config(arguments, comm);
  if (arguments.plan) {
    agree(comm, "plan", [&] {
      if (comm.rank() == 0) {
        std::cout << describe_planned_run(config, comm.size());
      }
    });
    return kExitDone;
  }
  StopRequest stop(config.run.dir / "STOP", arguments.max_hours);
  open_compute(config, comm, compute);
  const std::string warning = affinity_warning(config.compute.threads_per_rank);
  if (!warning.empty()) {
    log_warning(warning);
  }
  const RunOutcome outcome = run_pipeline(config, comm, *compute.backend, compute.place,
                                          compute.between_devices.get(), stop);
  if (outcome == RunOutcome::kNothingToDo && comm.rank() == 0) {
    log_info(concat("nothing to do: ", config.run.dir.string(), " is finished"));
  }
  return outcome == RunOutcome::kStopped ? kExitStopped : kExitDone;
}

int run_under_mpi(const Arguments& arguments) {
  const MpiEnvironment mpi;
  // The end of a communicator is collective: one rank that fails alone must end all ranks first.
  Compute compute;
  try {
    return run(arguments, compute);
  } catch (const StageFailed& error) {  // thrown on every rank: all leave together
    if (Communicator::world().rank() == 0) {
      log_error(error.what());
    }
    return error.user_error() ? kExitUserError : kExitFailed;
  } catch (const UserError& error) {
    log_error(error.what());
    MpiEnvironment::abort(kExitUserError);
  } catch (const std::exception& error) {
    log_error(error.what());
    MpiEnvironment::abort(kExitFailed);
  }
}

}  // namespace
}  // namespace btc

int main(int argc, char** argv) {
  btc::keep_freed_memory();
  btc::install_stop_signals();
  btc::choose_math_mode();
  CLI::App app("Binarizes a LLaMA- or Qwen-family checkpoint into a packed model.");
  btc::Arguments arguments;
  app.set_version_flag("--version",
                       std::string(btc::version()) + " " + std::string(btc::git_hash()));
  app.add_option("--config", arguments.config, "configuration file (YAML)")->required();
  app.add_option("--set", arguments.overrides, "override one key: a.b=VALUE (repeatable)")
      ->take_all()
      ->allow_extra_args(false);
  app.add_flag("--plan", arguments.plan, "print what the run would do and need, and stop");
  app.add_option("--max-hours", arguments.max_hours,
                 "end at a unit boundary before this time is over, with exit code 85")
      ->check(CLI::PositiveNumber);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? btc::kExitDone : btc::kExitUserError;
  }
  return btc::run_under_mpi(arguments);
}
