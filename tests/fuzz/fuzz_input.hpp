#pragma once
/// What the fuzz targets share: bytes as a file, and the only way in which a reader may refuse
/// them.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "common/error.hpp"

namespace btc::fuzz {

/// What a target is: reads `size` bytes as its kind of file. Defined once in each target.
void read_input(const std::uint8_t* data, std::size_t size);

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// A file in memory with these bytes; gone with the object.
class InputFile {
 public:
  InputFile(const std::uint8_t* data, std::size_t size) : descriptor_(::memfd_create("fuzz", 0)) {
    while (size > 0) {
      const ssize_t written = ::write(descriptor_, data, size);
      BTC_CHECK(written > 0, "a file in memory cannot be written");
      data += written;
      size -= static_cast<std::size_t>(written);
    }
  }
  ~InputFile() { ::close(descriptor_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  [[nodiscard]] std::filesystem::path path() const {
    return "/proc/self/fd/" + std::to_string(descriptor_);
  }

 private:
  int descriptor_;
};

/// Runs a reader. It may refuse its input by an error that is meant for files and names what is
/// wrong; whatever else it throws ends the program, which is a finding.
template <typename Read>
void read_or_refuse(Read&& read) {
  std::string reason = "none";
  try {
    read();
  } catch (const UserError& error) {
    reason = error.what();
  } catch (const FormatError& error) {
    reason = error.what();
  } catch (const IoError& error) {
    reason = error.what();
  }
  if (reason.empty()) {
    __builtin_trap();
  }
}

}  // namespace btc::fuzz
