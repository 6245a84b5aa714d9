#include "inspect/run_notes.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "io/atomic_file.hpp"
#include "io/format_version.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 5> kStages = {"learn", "binarize", "encode", "refine", "distill"};

/// Adds the note of a record, if it has one.
void add_note(const fs::path& path, RunNote note, std::vector<RunNote>& notes) {
  const auto record = nlohmann::json::parse(read_text_file(path), nullptr, false);
  BTC_REQUIRE(FormatError, record.is_object() && record.value("schema", "") == "btc.unit",
              path.string(), ": expected a record of schema btc.unit");
  check_version(record.value("version", ""), "1.0", path.string());
  note.note = record.value("note", "");
  if (record.value("status", "") == "done" && !note.note.empty()) {
    notes.push_back(std::move(note));
  }
}

void add_stage(const fs::path& directory, int sweep, const std::string& stage,
               std::vector<RunNote>& notes) {
  if (!fs::is_directory(directory)) {
    return;
  }
  std::vector<fs::path> records;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() == ".json" && !entry.path().filename().string().starts_with('.')) {
      records.push_back(entry.path());
    }
  }
  std::sort(records.begin(), records.end());
  for (const fs::path& path : records) {
    add_note(path, {sweep, stage, path.stem().string(), {}}, notes);
  }
}

}  // namespace

std::vector<RunNote> read_run_notes(const fs::path& run_directory) {
  std::vector<RunNote> notes;
  fs::path root = run_directory;
  for (int sweep = 1; fs::is_directory(root / "state"); ++sweep) {
    for (const char* stage : kStages) {
      add_stage(root / "state" / stage, sweep, stage, notes);
    }
    root = run_directory / concat("sweep-", sweep + 1);
  }
  return notes;
}

}  // namespace btc
