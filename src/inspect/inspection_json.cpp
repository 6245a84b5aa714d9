#include <nlohmann/json.hpp>

#include "inspect/inspection.hpp"

namespace btc {
namespace {

using json = nlohmann::ordered_json;

json files_json(const ModelReport& report) {
  json files = json::array();
  for (const ModelFile& file : report.files) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  return files;
}

json ledger_json(const ModelReport& report) {
  json categories = json::object();
  for (const LedgerLine& line : totals_by_category(report.ledger)) {
    categories[line.category] = line.bytes;
  }
  json lines = json::array();
  for (const LedgerLine& line : report.ledger) {
    lines.push_back({{"file", line.file},
                     {"object", line.object},
                     {"category", line.category},
                     {"bytes", line.bytes}});
  }
  return {{"categories", categories}, {"total", total_bytes(report.ledger)}, {"lines", lines}};
}

json tensor_json(const StoredTensor& tensor) {
  return {{"file", tensor.file},
          {"name", tensor.name},
          {"dtype", tensor.dtype},
          {"shape", tensor.shape},
          {"bytes", tensor.bytes}};
}

json linear_json(const LinearStatistics& linear) {
  json entry = {{"block", linear.block},
                {"linear", name_of(linear.kind)},
                {"shape", {linear.rows, linear.cols}},
                {"salient_share", linear.salient_share},
                {"group_shares", linear.group_shares},
                {"salient_group_shares", linear.salient_shares}};
  if (linear.relative_error) {
    entry["relative_error"] = *linear.relative_error;
  }
  return entry;
}

json codebook_json(const CodebookUsage& book) {
  constexpr std::size_t kTop = 20;
  json top = json::array();
  for (const std::size_t index : book.most_frequent(kTop)) {
    top.push_back({{"index", index},
                   {"signs", signs_text(book.codewords[index], book.vector_length)},
                   {"count", book.counts[index]}});
  }
  return {{"owner", book.owner},
          {"vector_length", book.vector_length},
          {"codewords", book.codewords.size()},
          {"uses", book.total()},
          {"unused", book.unused()},
          {"entropy_bits", book.entropy()},
          {"top", top},
          {"histogram", book.counts}};
}

json note_json(const RunNote& note) {
  return {{"sweep", note.sweep}, {"stage", note.stage}, {"unit", note.unit}, {"note", note.note}};
}

json distribution_json(const InputDistribution& inputs) {
  return {{"entries", inputs.count},
          {"largest", inputs.largest},
          {"kurtosis", inputs.kurtosis()},
          {"histogram", inputs.bins}};
}

json inputs_json(const Inspection& inspection) {
  json inputs = json::array();
  for (const InputStatistics& input : inspection.inputs) {
    inputs.push_back({{"block", input.block},
                      {"input", name_of(input.input)},
                      {"before", distribution_json(input.before)},
                      {"after", distribution_json(input.after)}});
  }
  return {{"tokens", inspection.tokens},
          {"bin_width", InputDistribution::kBinWidth},
          {"inputs", inputs}};
}

template <typename Items, typename Function>
json list_of(const Items& items, const Function& function) {
  json list = json::array();
  for (const auto& item : items) {
    list.push_back(function(item));
  }
  return list;
}

}  // namespace

std::string inspection_json(const Inspection& inspection) {
  const BitNumbers& bits = inspection.report.bits;
  json object = {{"files", files_json(inspection.report)},
                 {"bits",
                  {{"nominal", bits.nominal},
                   {"sign", bits.sign},
                   {"stored", bits.stored},
                   {"model", bits.model}}},
                 {"ledger", ledger_json(inspection.report)},
                 {"tensors", list_of(inspection.tensors, tensor_json)},
                 {"linears", list_of(inspection.linears, linear_json)},
                 {"codebooks", list_of(inspection.codebooks, codebook_json)},
                 {"run", list_of(inspection.notes, note_json)},
                 {"activations", inputs_json(inspection)}};
  return object.dump(1) + "\n";
}

}  // namespace btc
