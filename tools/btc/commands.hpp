#pragma once
/// The sub-commands of `btc`: each adds itself to the command line and runs when chosen.

#include <CLI/CLI.hpp>

namespace btc {

/// `btc prepare`: text -> token file.
void add_prepare(CLI::App& app);
/// `btc inspect`: ledger and checksums of a packed model.
void add_inspect(CLI::App& app);
/// `btc evaluate`: zero-shot tasks and perplexity of a model directory.
void add_evaluate(CLI::App& app);
/// `btc export`: packed model -> dense Hugging Face directory.
void add_export(CLI::App& app);
/// `btc doctor`: what this machine and build offer.
void add_doctor(CLI::App& app);
/// `btc quantize-linear`: one matrix and its inputs -> dense quantized matrix and its ledger.
void add_quantize_linear(CLI::App& app);
/// `btc sweep`: sweep file -> numbered configurations.
void add_sweep(CLI::App& app);
/// `btc tables`: results of a sweep -> Markdown, CSV and a plot.
void add_tables(CLI::App& app);

}  // namespace btc
