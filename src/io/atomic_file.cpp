#include "io/atomic_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "common/error.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporaryMark = ".tmp.";

std::string reason_of(int error) { return std::generic_category().message(error); }

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) {
    return "unknown";
  }
  return name.data();
}

fs::path directory_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

/// Makes what was written to an existing file or directory durable. Some file systems cannot sync a
/// directory and say EINVAL; there is nothing better to do on them.
void sync_path(const fs::path& path, int flags, bool may_be_unsupported) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  BTC_REQUIRE(IoError, descriptor >= 0, path.string(), ": cannot open to sync: ", reason_of(errno));
  const int result = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  const bool ok = result == 0 || (may_be_unsupported && error == EINVAL);
  BTC_REQUIRE(IoError, ok, path.string(), ": cannot sync: ", reason_of(error));
}

bool is_temporary_name(const std::string& name) {
  const auto mark = name.find(kTemporaryMark);
  return name.size() > 1 && name.front() == '.' && mark != std::string::npos && mark > 1;
}

/// True if the process that writes the temporary file may still run: it runs here, or it is on
/// another host, where nobody can look.
bool writer_may_run(const std::string& name) {
  const std::string writer = name.substr(name.rfind(kTemporaryMark) + kTemporaryMark.size());
  const auto dot = writer.rfind('.');
  ::pid_t pid = 0;
  if (dot == std::string::npos ||
      std::from_chars(writer.data() + dot + 1, writer.data() + writer.size(), pid).ec !=
          std::errc()) {
    return false;
  }
  if (writer.substr(0, dot) != host_name()) {
    return true;
  }
  return pid != ::getpid() && (::kill(pid, 0) == 0 || errno == EPERM);
}

/// A file that grows is in use; one that nobody touched for so long was left behind.
bool is_left_behind(const fs::directory_entry& entry) {
  constexpr auto kLongestPause = std::chrono::hours(1);
  std::error_code error;
  const auto written = entry.last_write_time(error);
  const bool old = error || fs::file_time_type::clock::now() - written > kLongestPause;
  return old || !writer_may_run(entry.path().filename().string());
}

}  // namespace

fs::path temporary_path(const fs::path& path) {
  return path.parent_path() /
         concat('.', path.filename().string(), kTemporaryMark, host_name(), '.', ::getpid());
}

void commit_file(const fs::path& temporary, const fs::path& path) {
  sync_path(temporary, O_RDONLY, false);
  BTC_REQUIRE(IoError, ::rename(temporary.c_str(), path.c_str()) == 0, path.string(),
              ": cannot rename ", temporary.string(), " to it: ", reason_of(errno));
  sync_path(directory_of(path), O_RDONLY | O_DIRECTORY, true);
}

void remove_temporaries(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> found;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_temporary_name(entry->path().filename().string()) && !entry->is_directory() &&
        is_left_behind(*entry)) {
      found.push_back(entry->path());
    }
  }
  if (error == std::errc::no_such_file_or_directory) {
    return;
  }
  BTC_REQUIRE(IoError, !error, directory.string(), ": cannot list: ", error.message());
  for (const fs::path& path : found) {
    fs::remove(path, error);
    BTC_REQUIRE(IoError, !error, path.string(), ": cannot remove: ", error.message());
  }
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)), temporary_(temporary_path(path_)) {
  std::error_code error;
  fs::create_directories(directory_of(path_), error);
  BTC_REQUIRE(IoError, !error, directory_of(path_).string(),
              ": cannot create directory: ", error.message());
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  BTC_REQUIRE(IoError, descriptor_ >= 0, path_.string(), ": cannot create: ", reason_of(errno));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  BTC_CHECK(descriptor_ >= 0 && digest_.empty(), path_.string(), ": written after its end");
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ::ssize_t count = ::write(descriptor_, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    BTC_REQUIRE(IoError, count > 0, path_.string(), ": cannot write ", bytes.size() - done,
                " bytes at byte ", bytes_ + done, ": ", reason_of(errno));
    done += static_cast<std::size_t>(count);
  }
  bytes_ += bytes.size();
  sha_.update(bytes);
}

const std::string& AtomicFile::sha256() {
  if (digest_.empty()) {
    digest_ = sha_.finish();
  }
  return digest_;
}

std::string AtomicFile::commit() {
  BTC_CHECK(descriptor_ >= 0, path_.string(), ": committed twice");
  const int result = ::close(std::exchange(descriptor_, -1));
  const int error = errno;
  try {
    BTC_REQUIRE(IoError, result == 0, path_.string(), ": cannot close: ", reason_of(error));
    commit_file(temporary_, path_);
  } catch (...) {
    ::unlink(temporary_.c_str());
    throw;
  }
  return sha256();
}

void write_text_file(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

std::string read_text_file(const fs::path& path) {
  std::error_code error;
  BTC_REQUIRE(IoError, !fs::is_directory(path, error), path.string(),
              ": is a directory, expected a file");
  std::ifstream in(path, std::ios::binary);
  BTC_REQUIRE(IoError, in.good(), path.string(), ": cannot open: ", reason_of(errno));
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  BTC_REQUIRE(IoError, !in.bad(), path.string(), ": cannot read: ", reason_of(errno));
  return text;
}

}  // namespace btc
