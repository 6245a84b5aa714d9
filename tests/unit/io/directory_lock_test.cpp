#include "io/directory_lock.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "common/error.hpp"
#include "support/scratch.hpp"

namespace btc {
namespace {

class DirectoryLockTest : public ::testing::Test {
 protected:
  const test::Scratch scratch_{"directory-lock"};
  const std::filesystem::path path_ = scratch_.path() / "state/lock";
};

TEST_F(DirectoryLockTest, IsHeldByOneAtATime) {
  auto first = DirectoryLock::try_acquire(path_);
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(first->is_held());
  EXPECT_FALSE(DirectoryLock::try_acquire(path_).has_value());
  first.reset();
  EXPECT_TRUE(DirectoryLock::try_acquire(path_).has_value());
}

TEST_F(DirectoryLockTest, MovesWithItsObject) {
  std::optional<DirectoryLock> outer;
  {
    auto inner = DirectoryLock::try_acquire(path_);
    outer = std::move(inner);
  }
  EXPECT_FALSE(DirectoryLock::try_acquire(path_).has_value());
}

TEST_F(DirectoryLockTest, EndsWithAProcessThatIsKilled) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = DirectoryLock::try_acquire(path_);
    ::raise(SIGKILL);
    ::_exit(held.has_value() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(DirectoryLock::try_acquire(path_).has_value());
}

TEST_F(DirectoryLockTest, NamesAFileThatCannotBeCreated) {
  EXPECT_THROW((void)DirectoryLock::try_acquire("/dev/null/lock"), IoError);
}

}  // namespace
}  // namespace btc
