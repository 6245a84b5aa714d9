#include "common/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <utility>
#include <vector>

#include "common/error.hpp"

namespace btc {

namespace {
std::shared_ptr<spdlog::logger> make_logger(int rank, const std::filesystem::path& file) {
  auto terminal = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  terminal->set_level(rank == 0 ? spdlog::level::info : spdlog::level::warn);
  std::vector<spdlog::sink_ptr> sinks = {terminal};
  if (!file.empty()) {
    sinks.push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string()));
  }
  auto logger = std::make_shared<spdlog::logger>("btc", sinks.begin(), sinks.end());
  logger->set_pattern(fmt::format("%H:%M:%S rank {} %l: %v", rank));
  logger->flush_on(spdlog::level::info);
  return logger;
}

/// The one mutable object outside main: where log lines go.
std::shared_ptr<spdlog::logger>& current() {
  static std::shared_ptr<spdlog::logger> logger = make_logger(0, {});
  return logger;
}
}  // namespace

void open_log(int rank, const std::filesystem::path& file) {
  try {
    current() = make_logger(rank, file);
  } catch (const spdlog::spdlog_ex& error) {
    BTC_THROW(IoError, "cannot open log file ", file.string(), ": ", error.what());
  }
}

void log_line(LogLevel level, std::string_view text) {
  constexpr auto kLevels =
      std::to_array({spdlog::level::info, spdlog::level::warn, spdlog::level::err});
  current()->log(kLevels.at(static_cast<std::size_t>(level)), text);
}

}  // namespace btc
