#pragma once
/// The backends that every backend test runs on.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "common/error.hpp"

namespace btc::test {

/// A backend under test. `name` becomes part of the test's name.
struct BackendCase {
  std::string name;
  std::function<std::unique_ptr<Backend>()> make;
};

/// Those of the program that the test is linked into: the host's, or those of a device.
std::vector<BackendCase> backends_under_test();

/// Base of a parametrised suite; instantiate it with `BTC_FOR_ALL_BACKENDS(Suite)`. Skips where the
/// backend's device is absent.
class BackendTest : public ::testing::TestWithParam<BackendCase> {
 protected:
  void SetUp() override {
    try {
      backend_ = GetParam().make();
    } catch (const BackendUnavailable& error) {
      GTEST_SKIP() << error.what();
    }
  }
  std::unique_ptr<Backend> backend_;
};

inline std::string backend_case_name(const ::testing::TestParamInfo<BackendCase>& info) {
  return info.param.name;
}

}  // namespace btc::test

#define BTC_FOR_ALL_BACKENDS(suite)                                                 \
  INSTANTIATE_TEST_SUITE_P(Backends, suite,                                         \
                           ::testing::ValuesIn(::btc::test::backends_under_test()), \
                           ::btc::test::backend_case_name)
