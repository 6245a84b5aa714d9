/// Work of the host that a backend hands to its threads.
#include <gmock/gmock.h>

#include <vector>

#include "common/error.hpp"
#include "support/backends.hpp"

namespace btc {
namespace {

using ::testing::Each;

class ForEach : public test::BackendTest {};
BTC_FOR_ALL_BACKENDS(ForEach);

TEST_P(ForEach, CallsEveryIndexOnce) {
  for (const std::size_t count : {0U, 1U, 7U, 100U}) {
    std::vector<int> calls(count, 0);
    backend_->for_each(count, [&](std::size_t i) { ++calls[i]; });
    EXPECT_THAT(calls, Each(1));
  }
}

TEST_P(ForEach, SessionsMayBeUsedInside) {
  Matrix<float> h(3, 3);
  for (std::size_t j = 0; j < 3; ++j) {
    h(j, j) = 4;
  }
  std::vector<float> found(5);
  backend_->for_each(found.size(), [&](std::size_t i) {
    const Matrix<float> u = backend_->factor(h.view());
    found[i] = backend_->open_arb(h.view(), u.view())->weights({0, 3})(1, 1) * u(0, 0);
  });
  EXPECT_THAT(found, Each(2.0F));
}

TEST_P(ForEach, AnErrorComesBack) {
  EXPECT_THROW(backend_->for_each(4,
                                  [](std::size_t i) {
                                    if (i == 2) {
                                      throw NumericError("third");
                                    }
                                  }),
               NumericError);
}

}  // namespace
}  // namespace btc
