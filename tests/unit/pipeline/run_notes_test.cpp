#include "pipeline/run_notes.hpp"

#include <gmock/gmock.h>

#include "io/atomic_file.hpp"
#include "pipeline/state.hpp"
#include "support/scratch.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;

TEST(RunNotes, AreThoseOfFinishedUnitsOfEverySweep) {
  const test::Scratch scratch("run-notes");
  const RunPaths run{scratch.path()};
  const auto record = [&](int sweep, const char* stage, const char* unit, const char* note) {
    const UnitStore store(run.sweep(sweep).state(), ResumeVerify::kSize);
    store.record({stage, unit, {}, "f"}, {.bytes = 0, .sha256 = {}, .note = note});
  };
  record(1, "encode", "block-00001", "b");
  record(1, "encode", "block-00000", "a");
  record(1, "binarize", "block-00000", "");
  record(1, "capture", "block-00000", "not about quality");
  record(2, "encode", "block-00000", "c");
  UnitStore(run.state(), ResumeVerify::kSize)
      .record_failure({"encode", "block-00002", {}, "f"}, "x");
  std::vector<std::string> found;
  for (const RunNote& note : read_run_notes(run)) {
    found.push_back(concat(note.sweep, " ", note.stage, " ", note.unit, " ", note.note));
  }
  EXPECT_THAT(found, ElementsAre("1 encode block-00000 a", "1 encode block-00001 b",
                                 "2 encode block-00000 c"));
  write_text_file(run.state() / "encode/block-00001.json", "{");
  EXPECT_THROW(read_run_notes(run), FormatError);
}

}  // namespace
}  // namespace btc
