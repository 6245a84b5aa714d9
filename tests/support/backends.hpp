#pragma once
/// The backends that every backend test runs on.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.hpp"

namespace btc::test {

/// A backend under test. `name` becomes part of the test's name.
struct BackendCase {
  std::string name;
  std::function<std::unique_ptr<Backend>()> make;
};

inline std::vector<BackendCase> all_backends() {
  return {{"reference", [] { return make_reference_backend(); }},
          {"cpu1", [] { return make_cpu_backend(1); }},
          {"cpu2", [] { return make_cpu_backend(2); }}};
}

/// Base of a parametrised suite; instantiate it with `BTC_FOR_ALL_BACKENDS(Suite)`.
class BackendTest : public ::testing::TestWithParam<BackendCase> {
 protected:
  std::unique_ptr<Backend> backend_ = GetParam().make();
};

inline std::string backend_case_name(const ::testing::TestParamInfo<BackendCase>& info) {
  return info.param.name;
}

}  // namespace btc::test

#define BTC_FOR_ALL_BACKENDS(suite)                                                           \
  INSTANTIATE_TEST_SUITE_P(Backends, suite, ::testing::ValuesIn(::btc::test::all_backends()), \
                           ::btc::test::backend_case_name)
