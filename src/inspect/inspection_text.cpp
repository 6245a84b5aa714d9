#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "inspect/inspection.hpp"

namespace btc {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::vector<std::string> parts_of(const std::string& name) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', begin)) {
    parts.push_back(name.substr(begin, dot - begin));
    begin = dot + 1;
  }
  parts.push_back(name.substr(begin));
  return parts;
}

/// One line per part of a name that the tensor before did not have, indented by its depth.
std::string tensor_tree(const std::vector<StoredTensor>& tensors) {
  std::string text = "\ntensors\n";
  std::string file;
  std::vector<std::string> open;
  for (const StoredTensor& tensor : tensors) {
    if (tensor.file != file) {
      file = tensor.file;
      open.clear();
      text += fmt::format("  {}\n", file);
    }
    const std::vector<std::string> parts = parts_of(tensor.name);
    const auto same =
        static_cast<std::size_t>(std::ranges::mismatch(parts, open).in1 - parts.begin());
    for (std::size_t k = same; k + 1 < parts.size(); ++k) {
      text += fmt::format("{:{}}{}\n", "", 4 + 2 * k, parts[k]);
    }
    const std::size_t indent = 4 + 2 * (parts.size() - 1);
    text += fmt::format("{:{}}{:<{}} {:<5} {:<18} {:>12}\n", "", indent, parts.back(),
                        std::max<std::size_t>(34, indent + 1) - indent, tensor.dtype,
                        shape_text(tensor.shape), tensor.bytes);
    open = parts;
  }
  return text;
}

std::string shares_text(const std::vector<double>& shares) {
  std::string text;
  for (const double share : shares) {
    text += fmt::format(" {:6.4f}", share);
  }
  return text;
}

std::string linear_table(const std::vector<LinearStatistics>& linears) {
  std::string text =
      "\nLinears: share of salient columns; shares of the groups outside them (smallest weights "
      "first)\n";
  for (const LinearStatistics& linear : linears) {
    text += fmt::format("  block {:<3} {:<10} [{}, {}]  salient {:6.4f}  groups{}", linear.block,
                        name_of(linear.kind), linear.rows, linear.cols, linear.salient_share,
                        shares_text(linear.group_shares));
    if (linear.salient_shares.size() > 1) {
      text += "  salient groups" + shares_text(linear.salient_shares);
    }
    if (linear.relative_error) {
      text += fmt::format("  error {:.4f}", *linear.relative_error);
    }
    text += "\n";
  }
  return text;
}

std::string note_table(const std::vector<RunNote>& notes) {
  std::string text = "\nwhat the run recorded\n";
  for (const RunNote& note : notes) {
    const std::string sweep = note.sweep == 1 ? "" : fmt::format("  (sweep {})", note.sweep);
    text += fmt::format("  {:<9} {:<12} {}{}\n", note.stage, note.unit, note.note, sweep);
  }
  return text;
}

/// Of many codebooks only the first few, so that the summary can be read.
std::string codebook_table(const std::vector<CodebookUsage>& codebooks) {
  constexpr std::size_t kShown = 20;
  constexpr std::size_t kTop = 5;
  std::string text = "\ncodebooks\n";
  for (std::size_t k = 0; k < std::min(kShown, codebooks.size()); ++k) {
    const CodebookUsage& book = codebooks[k];
    text += fmt::format(
        "  {}: {} codewords of {} signs, {} uses, {} unused, entropy {:.4f} bits per index "
        "({:.4f} per sign)\n",
        book.owner, book.codewords.size(), book.vector_length, book.total(), book.unused(),
        book.entropy(), book.entropy() / book.vector_length);
    for (const std::size_t index : book.most_frequent(kTop)) {
      text += fmt::format("    {:>7}  {}  {:>10} uses, {:.4f}\n", index,
                          signs_text(book.codewords[index], book.vector_length), book.counts[index],
                          static_cast<double>(book.counts[index]) /
                              static_cast<double>(std::max<std::uint64_t>(1, book.total())));
    }
  }
  if (codebooks.size() > kShown) {
    text += fmt::format("  and {} more (all with --json)\n", codebooks.size() - kShown);
  }
  return text;
}

std::string input_table(const Inspection& inspection) {
  std::string text = fmt::format(
      "\ninputs of the Linears over {} tokens sampled from the model: largest |x| / rms of its "
      "token, kurtosis\n",
      inspection.tokens);
  for (const InputStatistics& input : inspection.inputs) {
    text += fmt::format(
        "  block {:<3} {:<8} before {:8.2f} {:10.2f}   after the transform {:8.2f} {:10.2f}\n",
        input.block, name_of(input.input), input.before.largest, input.before.kurtosis(),
        input.after.largest, input.after.kurtosis());
  }
  return text;
}

}  // namespace

std::string inspection_text(const Inspection& inspection) {
  std::string text;
  if (!inspection.tensors.empty()) {
    text += tensor_tree(inspection.tensors);
  }
  if (!inspection.notes.empty()) {
    text += note_table(inspection.notes);
  }
  if (!inspection.linears.empty()) {
    text += linear_table(inspection.linears);
  }
  if (!inspection.codebooks.empty()) {
    text += codebook_table(inspection.codebooks);
  }
  if (!inspection.inputs.empty()) {
    text += input_table(inspection);
  }
  return text;
}

}  // namespace btc
