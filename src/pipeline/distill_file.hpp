#pragma once
/// The state between epochs of the distill stage as a file. @see docs/file_formats.md

#include <filesystem>
#include <string>

#include "refine/training_state.hpp"

namespace btc {

void write_distill_state(const std::filesystem::path& path, const TrainingState& state,
                         const std::string& fingerprint);
/// @throws FormatError if the file is damaged
TrainingState read_distill_state(const std::filesystem::path& path);

}  // namespace btc
