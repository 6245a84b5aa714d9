#pragma once
/// What is already done: one record per finished unit of work, and the fingerprints that decide
/// whether a record still counts.
///
/// A unit is finished only when its record holds the expected fingerprint and its file has the
/// recorded size (with `resume.verify: full` also the recorded checksum). Anything else is redone.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/error.hpp"
#include "config/pipeline_config.hpp"

namespace btc {

/// SHA-256 (64 hex digits) over the canonical JSON of stage, stage version and `parts`: everything
/// that can change the unit's bytes, and nothing else (no paths, hosts, rank counts or times).
std::string make_fingerprint(std::string_view stage, int version,
                             const std::map<std::string, std::string>& parts);

/// One piece of resumable work.
struct Unit {
  std::string stage;           ///< `capture`, `binarize`, ...
  std::string name;            ///< `block-00017`, `model`, ...
  std::filesystem::path file;  ///< what it writes; empty: the record itself is the result
  std::string fingerprint;
  std::filesystem::path records = {};  ///< where its record is kept; empty: in the run's own state/
};

/// What a finished unit left behind.
struct UnitResult {
  std::uint64_t bytes = 0;  ///< of the file
  std::string sha256;       ///< of the file
  double seconds = 0;       ///< wall time of the work
  std::string note;         ///< quality in words for the progress line: `relative error 0.0412`
  std::string payload = "null";  ///< JSON that later stages read
};

/// The records below `state/`.
class UnitStore {
 public:
  UnitStore(std::filesystem::path state_directory, ResumeVerify verify);
  [[nodiscard]] ResumeVerify verify() const { return verify_; }
  /// The result of a finished unit; nullopt if it must be (re)done.
  [[nodiscard]] std::optional<UnitResult> find(const Unit& unit) const;
  /// The result of a unit that must be finished. @throws FormatError otherwise
  [[nodiscard]] UnitResult at(const Unit& unit) const;
  void record(const Unit& unit, const UnitResult& result) const;
  /// Runs `body`, which reads the file of a finished unit. If it finds damage, the unit no longer
  /// counts as finished, so that the next start makes the file anew.
  /// @throws FormatError that says so
  template <typename Body>
  auto read(const Unit& unit, const Body& body) const {
    try {
      return body();
    } catch (const FormatError& error) {
      refuse_damaged(unit, error.what());
    }
  }
  /// The same, for files that do not prove every byte by themselves: compares the hash before.
  template <typename Body>
  auto read_hashed(const Unit& unit, const Body& body) const {
    return read(unit, [&] {
      check_hash(unit);
      return body();
    });
  }
  /// Best effort, for people: the next start redoes the unit.
  void record_failure(const Unit& unit, const std::string& reason) const;
  /// Removes files that a killed writer left behind, below state/ and `run_directory`'s folders.
  static void clean_up(const std::filesystem::path& run_directory);

 private:
  void check_hash(const Unit& unit) const;
  [[noreturn]] void refuse_damaged(const Unit& unit, const std::string& reason) const;
  [[nodiscard]] std::filesystem::path record_path(const Unit& unit) const;
  std::filesystem::path directory_;
  ResumeVerify verify_;
};

/// Notes of the finished units of a stage by the units' names, those without a note left out: for
/// people who look at a run afterwards.
/// @throws FormatError naming a record that is damaged or of another version
std::map<std::string, std::string> recorded_notes(const std::filesystem::path& state_directory,
                                                  const std::string& stage);

}  // namespace btc
