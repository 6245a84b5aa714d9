#include "eval/task_requests.hpp"

#include <gmock/gmock.h>

#include "support/made_requests.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TaskRequests task_of_lengths() {
  TaskRequests task;
  task.requests = test::make_requests({{{{1, 2, 3, 4}, {5, 6}}, {{1}, {2}}}, {{{1, 2}, {3}}}});
  task.requests.task = "rte";
  task.max_length = 8;
  task.cut_requests = 1;
  return task;
}

TEST(LimitInputs, CountsTheInputsThatAreLonger) {
  TaskRequests task = task_of_lengths();  // inputs of 5, 1 and 2 ids
  limit_inputs(task, 8);
  EXPECT_EQ(task.cut_requests, 1) << "as it was";
  limit_inputs(task, 5);
  EXPECT_EQ(task.cut_requests, 0);
  EXPECT_EQ(task.max_length, 5U);
  limit_inputs(task, 1);
  EXPECT_EQ(task.cut_requests, 2);
  limit_inputs(task, 4);
  EXPECT_EQ(task.max_length, 1U) << "never longer again";
}

TEST(RemarksOn, SayWhatTheScoresDependOn) {
  TaskRequests task = task_of_lengths();
  task.cut_requests = 0;
  EXPECT_THAT(remarks_on(task), IsEmpty());
  task.notes = {"a note"};
  task.cut_requests = 2;
  task.boundary_violations = 3;
  EXPECT_THAT(
      remarks_on(task),
      ElementsAre("a note",
                  "rte: 2 requests lost the start of their context, inputs have at most 8 ids",
                  "rte: 3 requests whose context has other ids alone than in front of its "
                  "continuation"));
  task = task_of_lengths();
  task.cut_requests = 0;
  task.kind = TaskKind::kRolling;
  EXPECT_THAT(remarks_on(task),
              ElementsAre("rte: 3 windows of at most 8 ids, each id scored once"));
}

}  // namespace
}  // namespace btc
