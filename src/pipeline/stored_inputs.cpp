#include "pipeline/stored_inputs.hpp"

#include <memory>

#include "calibration/activation_store.hpp"

namespace btc {

OpenSequences stored_inputs(const UnitStore& store, const Unit& capture) {
  return [&store, &capture](const std::vector<std::size_t>& order) -> SequenceStream {
    const auto reader = store.read(
        capture, [&] { return std::make_shared<ActivationReader>(capture.file, order); });
    return
        [&store, &capture, reader] { return store.read(capture, [&] { return reader->next(); }); };
  };
}

}  // namespace btc
