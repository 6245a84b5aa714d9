#include "pipeline/stored_inputs.hpp"

#include <memory>
#include <utility>

#include "calibration/activation_store.hpp"
#include "calibration/tokens.hpp"
#include "common/error.hpp"

namespace btc {

Matrix<std::int32_t> stored_sequences(const UnitStore& store, const Unit& sequences,
                                      std::size_t vocab_size) {
  return store.read(sequences, [&] {
    TokenFile file = read_token_file(sequences.file, vocab_size);
    BTC_REQUIRE(FormatError, file.sequences.has_value(), sequences.file.string(),
                ": expected sequences, got one text");
    return *std::move(file.sequences);
  });
}

OpenSequences stored_inputs(const UnitStore& store, const Unit& capture) {
  return [&store, &capture](const std::vector<std::size_t>& order) -> SequenceStream {
    const auto reader = store.read(
        capture, [&] { return std::make_shared<ActivationReader>(capture.file, order); });
    return
        [&store, &capture, reader] { return store.read(capture, [&] { return reader->next(); }); };
  };
}

}  // namespace btc
