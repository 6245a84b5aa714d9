#pragma once
/// The state between the epochs of a training as a file: of the distill stage, and of a block that
/// learns its transform. @see docs/file_formats.md

#include <filesystem>
#include <string>

#include "refine/training_state.hpp"

namespace btc {

void write_training_state(const std::filesystem::path& path, const TrainingState& state,
                          const std::string& fingerprint);
/// @throws FormatError if the file is damaged or has another fingerprint
TrainingState read_training_state(const std::filesystem::path& path,
                                  const std::string& fingerprint);

}  // namespace btc
