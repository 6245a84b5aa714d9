/// main() of the tests that run on several ranks. Rank 0 reports as usual; failures of the other
/// ranks appear as `[rank 1] file:line: message`, at once, so that they are seen even if a rank
/// then waits for ever. The exit code is the worst of all ranks.

#include <gmock/gmock.h>

#include <iostream>
#include <sstream>
#include <string>

#include "comm/communicator.hpp"

namespace {

class OtherRankPrinter : public ::testing::EmptyTestEventListener {
 public:
  explicit OtherRankPrinter(int rank) : mark_("[rank " + std::to_string(rank) + "] ") {}

  void OnTestStart(
      const ::testing::TestInfo& test) override {  // NOLINT(readability-identifier-naming)
    test_ = std::string(test.test_suite_name()) + "." + test.name();
  }

  void OnTestPartResult(  // NOLINT(readability-identifier-naming)
      const ::testing::TestPartResult& result) override {
    if (!result.failed()) {
      return;
    }
    const char* file = result.file_name();
    std::ostringstream text;
    text << mark_ << (file == nullptr ? "unknown file" : file) << ":" << result.line_number()
         << ": " << test_ << ": " << result.message() << "\n";
    std::cerr << text.str() << std::flush;
  }

 private:
  std::string mark_;
  std::string test_;
};

}  // namespace

int main(int argc, char** argv) {
  const btc::MpiEnvironment environment;
  const btc::Communicator world = btc::Communicator::world();
  ::testing::InitGoogleMock(&argc, argv);
  if (world.rank() != 0) {
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new OtherRankPrinter(world.rank()));
  }
  return static_cast<int>(world.all_reduce_max(RUN_ALL_TESTS()));
}
