/// What is left of files when their writer is killed, or the disk is full.

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include "common/error.hpp"
#include "common/rng.hpp"
#include "io/atomic_file.hpp"
#include "io/hdf5_file.hpp"
#include "support/scratch.hpp"
#include "support/small_disk.hpp"
#include "support/thrown_by.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using test::Scratch;
using test::SmallDisk;
using test::thrown_by;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kKills = 30;
constexpr std::size_t kRows = 8;

std::vector<std::uint64_t> row_values(std::size_t file, std::size_t row) {
  std::vector<std::uint64_t> values(8192 + 512 * (file % 7));
  std::iota(values.begin(), values.end(), file * 1000003 + row);
  return values;
}

void write_hdf5(const fs::path& path, std::size_t number) {
  Hdf5File file = Hdf5File::create(path);
  file.set_attribute("/", "number", static_cast<std::int64_t>(number));
  const std::size_t length = row_values(number, 0).size();
  file.create_dataset("/x", Hdf5Type::kU64, {kRows, length}, {.chunk = {1, length}});
  for (std::size_t row = 0; row < kRows; ++row) {
    file.write_rows<std::uint64_t>("/x", row, 1, row_values(number, row));
  }
  file.commit();
}

void check_hdf5(const fs::path& path, std::size_t number) {
  const Hdf5File file = Hdf5File::open(path);
  EXPECT_EQ(file.int_attribute("/", "number"), static_cast<std::int64_t>(number));
  std::vector<std::uint64_t> row(row_values(number, 0).size());
  for (std::size_t r = 0; r < kRows; ++r) {
    file.read_rows<std::uint64_t>("/x", r, 1, row);
    EXPECT_TRUE(row == row_values(number, r)) << path << ", row " << r;
  }
}

std::string text_of(std::size_t number) {
  return "{" + std::string(1000 * (number % 9), 'x') + concat(number) + "}";
}

/// Writes pairs of a data file and a record, as a stage does, until it is killed.
[[noreturn]] void write_for_ever(const fs::path& directory) {
  for (std::size_t number = 0;; ++number) {
    write_hdf5(directory / concat(number, ".h5"), number);
    write_text_file(directory / concat(number, ".json"), text_of(number));
  }
}

/// Checks every visible file of one killed writer. @return their number
std::size_t check_finished_files(const fs::path& directory) {
  std::size_t count = 0;
  std::set<std::size_t> data;
  std::set<std::size_t> records;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::size_t number = std::stoull(entry.path().stem().string());
    if (entry.path().extension() == ".h5") {
      EXPECT_NO_THROW(check_hdf5(entry.path(), number)) << entry.path();
      data.insert(number);
    } else {
      EXPECT_TRUE(read_text_file(entry.path()) == text_of(number)) << entry.path();
      records.insert(number);
    }
    ++count;
  }
  for (const std::size_t number : records) {
    EXPECT_TRUE(data.contains(number)) << "a record without its data";
  }
  return count;
}

TEST(KilledWriter, LeavesOnlyGoodFilesUnderTheirFinalNames) {
  const Scratch scratch("kill");
  Rng rng(derive_seed(1, "kill", 0));
  std::size_t finished = 0;
  std::size_t interrupted = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    const fs::path directory = scratch.path() / concat(kill);
    const ::pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      try {
        write_for_ever(directory);
      } catch (const std::exception& error) {
        std::cerr << error.what() << "\n";
      }
      ::_exit(1);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(5000 + rng.below(60000)));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself, with " << status;
    if (!fs::exists(directory)) {
      continue;  // killed before its first file
    }
    const auto all = std::distance(fs::directory_iterator(directory), {});
    remove_temporaries(directory);
    const std::size_t good = check_finished_files(directory);
    finished += good;
    interrupted += static_cast<std::size_t>(all) > good ? 1 : 0;
  }
  EXPECT_GT(finished, 20U) << "too slow to show anything";
  EXPECT_GT(interrupted, 3U) << "no kill hit a file being written";
  RecordProperty("finished_files", static_cast<int>(finished));
  RecordProperty("kills_inside_a_file", static_cast<int>(interrupted));
}

/// Calls `write` on a disk of 2 MiB, where it must fail and leave nothing.
void expect_clean_failure(const std::function<void(const fs::path&)>& write) {
  const Scratch scratch("full");
  const SmallDisk disk(scratch.path() / "disk", std::size_t{2} << 20U);
  if (!disk.missing_reason().empty()) {
    GTEST_SKIP() << disk.missing_reason();
  }
  const fs::path path = disk.path() / "a.h5";
  write_text_file(path, "old");
  EXPECT_THAT(thrown_by<IoError>([&] { write(path); }),
              AllOf(HasSubstr("a.h5"), HasSubstr("No space left on device")));
  EXPECT_TRUE(read_text_file(path) == "old") << "the old file is gone";
  EXPECT_EQ(std::distance(fs::directory_iterator(disk.path()), {}), 1) << "a temporary is left";
  // The space is free again.
  write_text_file(disk.path() / "b", std::string(std::size_t{1} << 20U, 'x'));
}

TEST(FullDisk, FailsAnAtomicFile) {
  expect_clean_failure([](const fs::path& path) {
    AtomicFile file(path);
    const std::vector<std::byte> bytes(std::size_t{3} << 20U);
    file.write(bytes);
    file.commit();
  });
}

TEST(FullDisk, FailsANewHdf5File) {
  expect_clean_failure([](const fs::path& path) {
    const fs::path filler = path.parent_path() / "filler";
    std::ofstream(filler) << std::string(std::size_t{3} << 20U, 'x');
    try {
      (void)Hdf5File::create(path);
    } catch (...) {
      fs::remove(filler);
      throw;
    }
  });
}

TEST(FullDisk, FailsLargeChunks) {
  expect_clean_failure([](const fs::path& path) {
    constexpr std::size_t kRow = std::size_t{1} << 20U;
    Hdf5File file = Hdf5File::create(path);
    file.create_dataset("/x", Hdf5Type::kU8, {4, kRow}, {.chunk = {1, kRow}});
    for (std::size_t row = 0; row < 4; ++row) {
      file.write_rows<std::uint8_t>("/x", row, 1, std::vector<std::uint8_t>(kRow));
    }
    file.commit();
  });
}

TEST(FullDisk, FailsManySmallDatasets) {
  expect_clean_failure([](const fs::path& path) {
    Hdf5File file = Hdf5File::create(path);
    for (int i = 0; i < 200; ++i) {
      file.write<std::uint8_t>(concat("/x", i), {20000}, std::vector<std::uint8_t>(20000));
    }
    file.commit();
  });
}

/// Chunks smaller than HDF5's cache and all metadata are written only at the end.
TEST(FullDisk, FailsWhatIsWrittenAtTheEnd) {
  expect_clean_failure([](const fs::path& path) {
    Hdf5File file = Hdf5File::create(path);
    file.create_dataset("/x", Hdf5Type::kU8, {30000, 1}, {.chunk = {1, 1}});
    file.write_rows<std::uint8_t>("/x", 0, 30000, std::vector<std::uint8_t>(30000));
    file.create_dataset("/y", Hdf5Type::kU8, {30000, 1}, {.chunk = {1, 1}});
    file.write_rows<std::uint8_t>("/y", 0, 30000, std::vector<std::uint8_t>(30000));
    for (int i = 0; i < 3000; ++i) {
      file.set_attribute("/", concat("attribute ", i), std::string(300, 'x'));
    }
    file.commit();
  });
}

}  // namespace
}  // namespace btc
