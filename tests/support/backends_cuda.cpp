#include "support/backends.hpp"

namespace btc::test {

std::vector<BackendCase> backends_under_test() {
  return {{"cuda", [] { return make_cuda_backend(0, 2); }}};
}

}  // namespace btc::test
