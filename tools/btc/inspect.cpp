#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "commands.hpp"
#include "pack/packed_model.hpp"

namespace btc {

namespace {
void inspect(const std::string& directory) {
  const ModelReport report = inspect_model(directory);
  std::uint64_t bytes = 0;
  for (const ModelFile& file : report.files) {
    std::cout << fmt::format("{:<44} {:>14}  sha256 {}\n", file.name, file.bytes, file.sha256);
    bytes += file.bytes;
  }
  std::cout << fmt::format("{} files, {} bytes, every checksum matches\n\nledger\n",
                           report.files.size(), bytes);
  for (const LedgerLine& line : totals_by_category(report.ledger)) {
    std::cout << fmt::format("  {:<14} {:>16}\n", line.category, line.bytes);
  }
  std::cout << fmt::format("  {:<14} {:>16}  (= size of the safetensors files)\n", "total",
                           total_bytes(report.ledger));
  std::cout << fmt::format("bits  nominal {:.4f}  sign {:.4f}  stored {:.4f}  model {:.4f}\n",
                           report.bits.nominal, report.bits.sign, report.bits.stored,
                           report.bits.model);
}
}  // namespace

void add_inspect(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("inspect", "verify every checksum of a packed model, print its ledger");
  const auto directory = std::make_shared<std::string>();
  command->add_option("model", *directory, "packed model directory")->required();
  command->callback([directory] { inspect(*directory); });
}

}  // namespace btc
