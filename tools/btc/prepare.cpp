#include <iostream>
#include <map>
#include <memory>

#include "calibration/tokens.hpp"
#include "commands.hpp"
#include "model/tokenizer.hpp"

namespace btc {

namespace {
struct PrepareOptions {
  std::string model;
  std::string text;
  std::string out;
  TextJoin join = TextJoin::kAuto;
};

void prepare(const PrepareOptions& options) {
  const std::unique_ptr<Tokenizer> tokenizer = open_tokenizer(options.model);
  const TokenizedText text = tokenize_file(*tokenizer, options.text, options.join);
  write_token_file(options.out, text);
  std::cout << options.out << ": " << text.ids.size() << " ids (" << text.join
            << " text, BOS at the start: " << (text.add_bos ? "yes" : "no") << ", vocabulary "
            << text.vocab_size << ")\n";
}
}  // namespace

void add_prepare(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("prepare", "tokenize a text once, into an HDF5 token file");
  const auto options = std::make_shared<PrepareOptions>();
  command->add_option("--model", options->model, "directory with the tokenizer")->required();
  command->add_option("--text", options->text, "text file (UTF-8)")->required();
  command->add_option("--out", options->out, "token file to write")->required();
  const std::map<std::string, TextJoin> joins = {{"auto", TextJoin::kAuto},
                                                 {"wikitext", TextJoin::kWikitext},
                                                 {"verbatim", TextJoin::kVerbatim},
                                                 {"c4", TextJoin::kC4}};
  command
      ->add_option(
          "--join", options->join,
          "how lines become one text: auto (wikitext if it looks like a WikiText file), "
          "wikitext (rows joined by blank lines), verbatim, c4 (the texts of JSON rows, joined "
          "by a space)")
      ->transform(CLI::CheckedTransformer(joins));
  command->callback([options] { prepare(*options); });
}

}  // namespace btc
