#include "pipeline/state.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/error.hpp"
#include "common/hash.hpp"
#include "io/atomic_file.hpp"

namespace btc {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {
constexpr std::string_view kSchema = "btc.unit";
constexpr std::string_view kVersion = "1.0";

/// A record with the hash of all its other fields.
std::string sealed(json record) {
  record["record_sha256"] = sha256_hex(record.dump());
  return record.dump(1) + "\n";
}

bool is_intact(json record) {
  const json hash = record["record_sha256"];
  record.erase("record_sha256");
  return hash == sha256_hex(record.dump());
}

/// The record as JSON, or null if it is absent, damaged or not a record of this version.
json read_record(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    return nullptr;
  }
  json record = json::parse(read_text_file(path), nullptr, false);
  const bool known = record.is_object() && is_intact(record) &&
                     record.value("schema", "") == kSchema &&
                     record.value("version", "") == kVersion;
  return known ? record : json(nullptr);
}
}  // namespace

std::string make_fingerprint(std::string_view stage, int version,
                             const std::map<std::string, std::string>& parts) {
  return sha256_hex(json{{"parts", parts}, {"stage", stage}, {"version", version}}.dump());
}

UnitStore::UnitStore(fs::path state_directory, ResumeVerify verify)
    : directory_(std::move(state_directory)), verify_(verify) {}

fs::path UnitStore::record_path(const Unit& unit) const {
  const fs::path& records = unit.records.empty() ? directory_ : unit.records;
  return records / unit.stage / (unit.name + ".json");
}

std::optional<UnitResult> UnitStore::find(const Unit& unit) const {
  const json record = read_record(record_path(unit));
  if (!record.is_object() || record.value("status", "") != "done" ||
      record.value("fingerprint", "") != unit.fingerprint) {
    return std::nullopt;
  }
  UnitResult result{.bytes = record.value("bytes", std::uint64_t{0}),
                    .sha256 = record.value("sha256", ""),
                    .seconds = record.value("seconds", 0.0),
                    .note = record.value("note", ""),
                    .payload = record.value("payload", json()).dump()};
  if (unit.file.empty()) {
    return result;
  }
  std::error_code error;
  const auto size = fs::file_size(unit.file, error);
  if (error || size != result.bytes) {
    return std::nullopt;
  }
  if (verify_ == ResumeVerify::kFull && sha256_file(unit.file) != result.sha256) {
    return std::nullopt;
  }
  return result;
}

UnitResult UnitStore::at(const Unit& unit) const {
  auto result = find(unit);
  BTC_REQUIRE(FormatError, result.has_value(), record_path(unit).string(),
              ": expected the record of the finished unit with fingerprint ", unit.fingerprint,
              ", got none");
  return *std::move(result);
}

void UnitStore::record(const Unit& unit, const UnitResult& result) const {
  const json record = {{"schema", kSchema},
                       {"version", kVersion},
                       {"stage", unit.stage},
                       {"unit", unit.name},
                       {"status", "done"},
                       {"fingerprint", unit.fingerprint},
                       {"file", unit.file.filename().string()},
                       {"bytes", result.bytes},
                       {"sha256", result.sha256},
                       {"seconds", result.seconds},
                       {"note", result.note},
                       {"payload", json::parse(result.payload)}};
  write_text_file(record_path(unit), sealed(record));
}

void UnitStore::record_failure(const Unit& unit, const std::string& reason) const {
  const json record = {{"schema", kSchema},
                       {"version", kVersion},
                       {"stage", unit.stage},
                       {"unit", unit.name},
                       {"status", "failed"},
                       {"reason", reason},
                       {"fingerprint", unit.fingerprint}};
  try {
    write_text_file(record_path(unit), sealed(record));
  } catch (const IoError&) {  // the disk may be full; without any record the unit is redone too
    std::error_code error;
    fs::remove(record_path(unit), error);
  }
}

void UnitStore::check_hash(const Unit& unit) const {
  const std::string expected = at(unit).sha256;
  const std::string found = sha256_file(unit.file);
  BTC_REQUIRE(FormatError, found == expected, unit.file.string(), ": SHA-256 is ", found,
              ", expected ", expected);
}

void UnitStore::refuse_damaged(const Unit& unit, const std::string& reason) const {
  record_failure(unit, reason);
  BTC_THROW(FormatError, reason, "; the file is damaged: start again, it is made anew (--set ",
            "resume.verify=full looks for all damaged files)");
}

void UnitStore::clean_up(const fs::path& run_directory) {
  std::error_code error;
  remove_temporaries(run_directory);
  for (fs::recursive_directory_iterator it(run_directory, error), end; !error && it != end;
       it.increment(error)) {
    if (it->is_directory()) {
      remove_temporaries(it->path());
    }
  }
}

std::map<std::string, std::string> recorded_notes(const fs::path& state_directory,
                                                  const std::string& stage) {
  std::map<std::string, std::string> notes;
  std::error_code error;
  for (fs::directory_iterator it(state_directory / stage, error), end; !error && it != end;
       it.increment(error)) {
    const fs::path& path = it->path();
    if (path.extension() != ".json" || path.filename().string().starts_with('.')) {
      continue;
    }
    const json record = read_record(path);
    BTC_REQUIRE(FormatError, record.is_object(), path.string(), ": expected an intact record of ",
                kSchema, " ", kVersion);
    const std::string note = record.value("note", "");
    if (record.value("status", "") == "done" && !note.empty()) {
      notes.emplace(path.stem().string(), note);
    }
  }
  return notes;
}

}  // namespace btc
