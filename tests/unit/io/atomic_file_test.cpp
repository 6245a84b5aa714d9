#include "io/atomic_file.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <set>

#include "common/error.hpp"
#include "support/scratch.hpp"

namespace btc {
namespace {

using test::Scratch;
using ::testing::HasSubstr;

std::set<std::string> names_in(const std::filesystem::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

TEST(AtomicFile, AppearsWithCommitAndHashesWhatWasWritten) {
  const Scratch scratch("atomic");
  const auto path = scratch.path() / "new" / "file.txt";
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(std::string_view("hello "))));
  file.write(std::as_bytes(std::span(std::string_view("world"))));
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(file.commit(), sha256_hex("hello world"));
  EXPECT_EQ(file.bytes_written(), 11U);
  EXPECT_EQ(read_text_file(path), "hello world");
  EXPECT_EQ(names_in(path.parent_path()), std::set<std::string>{"file.txt"});
}

TEST(AtomicFile, LeavesNothingWithoutCommitAndKeepsTheOldFile) {
  const Scratch scratch("atomic");
  const auto path = scratch.path() / "file.txt";
  write_text_file(path, "old");
  {
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(std::string_view("half"))));
    EXPECT_EQ(names_in(scratch.path()).size(), 2U);
  }
  EXPECT_EQ(names_in(scratch.path()), std::set<std::string>{"file.txt"});
  EXPECT_EQ(read_text_file(path), "old");
}

TEST(AtomicFile, TellsItsHashBeforeItIsVisible) {
  const Scratch scratch("atomic");
  AtomicFile file(scratch.path() / "f");
  const auto text = std::as_bytes(std::span(std::string_view("abc")));
  file.write(text);
  EXPECT_EQ(file.sha256(), sha256_hex("abc"));
  EXPECT_THROW(file.write(text), Error);
  EXPECT_FALSE(std::filesystem::exists(scratch.path() / "f"));
  EXPECT_EQ(file.commit(), sha256_hex("abc"));
  EXPECT_THROW(file.commit(), Error);
}

TEST(AtomicFile, NamesPathAndReasonWhenItCannotWrite) {
  const Scratch scratch("atomic");
  write_text_file(scratch.path() / "plain", "");
  try {
    const AtomicFile file(scratch.path() / "plain" / "below");
    FAIL() << "did not throw";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("plain"));
    EXPECT_THAT(error.what(), HasSubstr("directory"));
  }
}

TEST(AtomicFile, RemovesOnlyTemporaries) {
  const Scratch scratch("atomic");
  const auto target = scratch.path() / "block-00003.h5";
  test::write_bytes(temporary_path(target), "left over");
  test::write_bytes(scratch.path() / ".block-00004.h5.tmp.no-number", "left over");
  test::write_bytes(scratch.path() / ".hidden", "keep");
  test::write_bytes(scratch.path() / "a.tmp.b.1", "keep");
  remove_temporaries(scratch.path());
  EXPECT_EQ(names_in(scratch.path()), (std::set<std::string>{".hidden", "a.tmp.b.1"}));
  remove_temporaries(scratch.path() / "absent");
}

/// The name that process `pid` of this host writes `a` under.
std::string temporary_of(const std::filesystem::path& directory, int pid) {
  const std::string own = temporary_path(directory / "a").filename().string();
  return concat(own.substr(0, own.rfind('.') + 1), pid);
}

TEST(AtomicFile, KeepsTemporariesThatMayBeInUse) {
  const Scratch scratch("atomic");
  const std::string running = temporary_of(scratch.path(), 1);
  const std::string gone = temporary_of(scratch.path(), 0x3fffffff);  // above any process id
  const std::string elsewhere = ".a.tmp.other.host.17";
  const std::string abandoned = ".b.tmp.other.host.17";
  for (const std::string& name : {running, gone, elsewhere, abandoned}) {
    test::write_bytes(scratch.path() / name, "half");
  }
  std::filesystem::last_write_time(
      scratch.path() / abandoned,
      std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  remove_temporaries(scratch.path());
  EXPECT_EQ(names_in(scratch.path()), (std::set<std::string>{running, elsewhere}));
}

TEST(AtomicFile, ReadingNamesAnAbsentFile) {
  EXPECT_THROW(read_text_file("/nonexistent/file"), IoError);
  EXPECT_THROW(read_text_file("/tmp"), IoError);
}

}  // namespace
}  // namespace btc
