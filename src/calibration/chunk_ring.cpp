#include "calibration/chunk_ring.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <new>
#include <system_error>
#include <utility>

#include "common/error.hpp"
#include "common/hash.hpp"

namespace btc {
namespace {

/// The whole of `bytes` from byte `offset` of the file.
void read_exactly(int descriptor, std::span<std::byte> bytes, std::uint64_t offset,
                  const std::filesystem::path& path) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ::ssize_t count = ::pread(descriptor, bytes.data() + done, bytes.size() - done,
                                    static_cast<::off_t>(offset + done));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    BTC_REQUIRE(IoError, count >= 0, path.string(), ": cannot read at byte ", offset + done, ": ",
                std::generic_category().message(errno));
    BTC_REQUIRE(FormatError, count > 0, path.string(), ": ends at byte ", offset + done, ", but ",
                bytes.size() - done, " more are expected");
    done += static_cast<std::size_t>(count);
  }
}

}  // namespace

/// Huge pages: with those of 4 KiB the first touch of a ring of 48 MiB took 37 ms.
ChunkRing::Slot ChunkRing::make_slot(std::size_t values) {
  constexpr std::size_t kHugePage = std::size_t{2} << 20U;
  const std::size_t bytes = values * sizeof(std::uint16_t);
  const bool large = bytes >= kHugePage;
  const std::size_t alignment = large ? kHugePage : alignof(std::max_align_t);
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  Slot slot(static_cast<std::uint16_t*>(std::aligned_alloc(alignment, rounded)));
  if (slot == nullptr) {
    throw std::bad_alloc();
  }
  if (large) {
    ::madvise(slot.get(), rounded, MADV_HUGEPAGE);
  }
  return slot;
}

ChunkRing::ChunkRing(Source source, std::size_t slots) : source_(std::move(source)) {
  const std::size_t count =
      std::clamp<std::size_t>(slots, 1, std::max<std::size_t>(source_.offsets.size(), 1));
  for (std::size_t i = 0; i < count; ++i) {
    slots_.push_back(make_slot(source_.values));
  }
  descriptor_ = ::open(source_.path.c_str(), O_RDONLY | O_CLOEXEC);
  BTC_REQUIRE(IoError, descriptor_ >= 0, source_.path.string(),
              ": cannot open: ", std::generic_category().message(errno));
  ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
  reader_ = std::thread([this] { read_all(); });
}

ChunkRing::~ChunkRing() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  reader_.join();
  ::close(descriptor_);
}

void ChunkRing::read_chunk(std::size_t chunk, std::span<std::uint16_t> values) const {
  read_exactly(descriptor_, std::as_writable_bytes(values), source_.offsets[chunk], source_.path);
  const std::uint64_t found = xxh3_64(std::as_bytes(values));
  BTC_REQUIRE(FormatError, found == source_.checksums[chunk], source_.path.string(), ": block ",
              source_.block, ", sequence ", source_.sequences[chunk], ", byte ",
              source_.offsets[chunk], ": XXH3-64 of the data is ", std::hex, found, ", expected ",
              source_.checksums[chunk]);
}

bool ChunkRing::wait_for_free_slot(std::size_t chunk) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stop_ || chunk - consumed_ < slots_.size(); });
  return !stop_;
}

void ChunkRing::read_all() {
  try {
    for (std::size_t chunk = 0; chunk < source_.offsets.size(); ++chunk) {
      if (!wait_for_free_slot(chunk)) {
        return;
      }
      read_chunk(chunk, slot_of(chunk));
      const std::lock_guard lock(mutex_);
      ++filled_;
      changed_.notify_all();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    changed_.notify_all();
  }
}

void ChunkRing::consume(const std::function<void(std::span<const std::uint16_t>)>& use) {
  BTC_CHECK(consumed_ < source_.offsets.size(), source_.path.string(), ": all ",
            source_.offsets.size(), " sequences were read before");
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return filled_ > consumed_ || failure_ != nullptr; });
    if (filled_ == consumed_) {
      std::rethrow_exception(failure_);
    }
  }
  use(slot_of(consumed_));
  {
    const std::lock_guard lock(mutex_);
    ++consumed_;
  }
  changed_.notify_all();
}

}  // namespace btc
