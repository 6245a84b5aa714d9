#pragma once
/// Lines for people: time, rank, level, text. Rank 0 on stderr, every rank in its own file.

#include <filesystem>
#include <string>
#include <string_view>

namespace btc {

enum class LogLevel { kInfo, kWarning, kError };

/// Opens the log of this rank. Before the call, and with an empty `file`, lines go to stderr alone.
/// Rank 0 writes info lines to stderr too; other ranks only warnings and errors.
/// @throws IoError if the file cannot be opened
void open_log(int rank, const std::filesystem::path& file);
/// Writes one line. Safe from any thread.
void log_line(LogLevel level, std::string_view text);

inline void log_info(std::string_view text) { log_line(LogLevel::kInfo, text); }
inline void log_warning(std::string_view text) { log_line(LogLevel::kWarning, text); }
inline void log_error(std::string_view text) { log_line(LogLevel::kError, text); }

}  // namespace btc
