#include <iostream>

#include "backend/backend.hpp"
#include "choices.hpp"
#include "comm/communicator.hpp"
#include "commands.hpp"
#include "pipeline/environment_report.hpp"

namespace btc {

namespace {
void doctor(int threads) {
  const MpiEnvironment mpi;
  std::cout << describe_run(Communicator::world(), threads);
  std::cout << describe_cuda();
  std::cout << "backend reference: available\nbackend cpu: available\n";
  const std::string warning = affinity_warning(threads);
  if (!warning.empty()) {
    std::cout << "warning: " << warning << "\n";
  }
}
}  // namespace

void add_doctor(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("doctor", "print what this machine and build offer, and what is missing");
  const auto threads = std::make_shared<int>(1);
  command->add_option("--threads", *threads, "threads per rank that a run would use")
      ->check(at_least(1));
  command->callback([threads] { doctor(*threads); });
}

}  // namespace btc
