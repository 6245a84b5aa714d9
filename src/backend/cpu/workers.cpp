#include "backend/cpu/workers.hpp"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_arena.h>

#include <algorithm>

#include "common/error.hpp"
#include "common/matrix.hpp"

namespace btc {

struct Workers::Arena {
  explicit Arena(int threads) : arena(threads) {}
  tbb::task_arena arena;
};

Workers::Workers(int threads) : threads_(threads) {
  BTC_REQUIRE(ConfigError, threads >= 1, "cpu backend: got ", threads,
              " threads, expected at least 1");
  // More than the machine has would not run at once, and oneTBB would complain on stderr.
  arena_ = std::make_unique<Arena>(std::min(threads, tbb::this_task_arena::max_concurrency()));
}

Workers::~Workers() = default;

void Workers::for_blocks(std::size_t count, std::size_t block,
                         const std::function<void(std::size_t, std::size_t)>& body) const {
  BTC_CHECK(block > 0, "blocks of no index");
  const std::size_t blocks = ceil_div(count, block);
  const auto run = [&](std::size_t b) { body(b * block, std::min(count, (b + 1) * block)); };
  if (threads_ == 1 || blocks <= 1) {
    for (std::size_t b = 0; b < blocks; ++b) {
      run(b);
    }
    return;
  }
  arena_->arena.execute([&] {
    // Isolated: a thread that waits here must not pick up an unrelated outer range meanwhile.
    tbb::this_task_arena::isolate([&] {
      tbb::parallel_for(
          tbb::blocked_range<std::size_t>(0, blocks, 1),
          [&](const tbb::blocked_range<std::size_t>& range) {
            for (std::size_t b = range.begin(); b < range.end(); ++b) {
              run(b);
            }
          },
          tbb::simple_partitioner());
    });
  });
}

}  // namespace btc
