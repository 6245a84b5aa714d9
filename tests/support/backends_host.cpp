#include "support/backends.hpp"

namespace btc::test {

std::vector<BackendCase> backends_under_test() {
  return {{"reference", [] { return make_reference_backend(); }},
          {"cpu1", [] { return make_cpu_backend(1); }},
          {"cpu2", [] { return make_cpu_backend(2); }}};
}

}  // namespace btc::test
