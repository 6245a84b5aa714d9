#include <iostream>
#include <memory>

#include "choices.hpp"
#include "commands.hpp"
#include "pack/packed_model.hpp"

namespace btc {

namespace {
struct ExportOptions {
  std::string model;
  std::string out;
  std::string format = "hf";
  ExportDType dtype = ExportDType::kBf16;
};

void export_model(const ExportOptions& options) {
  export_dense(options.model, options.out, options.dtype);
  std::cout
      << options.out
      << ": dense weights, as large as the original model; any Hugging Face loader reads it\n";
}
}  // namespace

void add_export(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "export", "write the dequantized weights as a dense Hugging Face directory");
  const auto options = std::make_shared<ExportOptions>();
  command->add_option("--model", options->model, "packed model directory")->required();
  command->add_option("--out", options->out, "directory to write")->required();
  command->add_option("--dtype", options->dtype, "default: bf16")
      ->transform(one_of(kExportDTypeNames));
  command->add_option("--format", options->format, "hf, a Hugging Face directory (default)")
      ->check(CLI::IsMember({"hf"}));
  command->callback([options] { export_model(*options); });
}

}  // namespace btc
