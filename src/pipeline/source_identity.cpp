#include "pipeline/source_identity.hpp"

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "comm/agree.hpp"
#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/log.hpp"
#include "io/atomic_file.hpp"

namespace btc {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// Size and modification time of every weight file: what must be unchanged for the cache to hold.
json file_stamps(const Checkpoint& checkpoint) {
  json stamps = json::array();
  for (const fs::path& file : checkpoint.files()) {
    struct stat status {};
    BTC_REQUIRE(IoError, stat(file.c_str(), &status) == 0, "cannot stat ", file.string());
    stamps.push_back(
        {file.filename().string(), status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec});
  }
  return stamps;
}

/// The cached hashes (blocks, then the outer part), or null if they no longer hold.
json cached_hashes(const Checkpoint& checkpoint, const fs::path& cache, const json& stamps) {
  std::error_code error;
  if (!fs::exists(cache, error)) {
    return nullptr;
  }
  const json stored = json::parse(read_text_file(cache), nullptr, false);
  const bool holds = stored.is_object() && stored.value("files", json()) == stamps &&
                     stored.value("config_sha256", "") == checkpoint.config().source_sha256;
  return holds ? stored.value("hashes", json()) : json(nullptr);
}

/// Hashes of all parts, each read by one rank.
std::vector<std::string> read_hashes(const Checkpoint& checkpoint, const Communicator& comm) {
  const int parts = checkpoint.config().blocks + 1;
  json mine = json::object();
  agree(comm, "reading the checkpoint", [&] {
    for (int part = comm.rank(); part < parts; part += comm.size()) {
      const int block = part == parts - 1 ? -1 : part;
      mine[std::to_string(part)] = checkpoint.fingerprint(block);
    }
  });
  std::vector<std::string> hashes(static_cast<std::size_t>(parts));
  for (const std::string& text : comm.all_gather(mine.dump())) {
    const json of_rank = json::parse(text);
    for (const auto& [part, hash] : of_rank.items()) {
      hashes.at(std::stoul(part)) = hash.get<std::string>();
    }
  }
  return hashes;
}

/// @param block -1: the tensors outside the blocks
void check_unchanged(const Checkpoint& checkpoint, int block, const std::string& expected) {
  const std::string got = checkpoint.fingerprint(block);
  const std::string part =
      block < 0 ? std::string("embedding, final norm or head") : concat("block ", block);
  BTC_REQUIRE(FormatError, got == expected, part,
              " of the checkpoint: expected weights with fingerprint ", expected, ", got ", got,
              ": a weight file changed under the run; start again with the right files (with --set "
              "resume.verify=full if they kept their modification time)");
}

}  // namespace

std::string SourceIdentity::whole() const {
  return sha256_hex(json{{"blocks", blocks}, {"outer", outer}, {"config", config_sha256}}.dump());
}

SourceIdentity identify_source(const Checkpoint& checkpoint, const Communicator& comm,
                               const fs::path& cache, bool trust_cache) {
  json stamps;
  std::string known;
  agree(comm, "looking at the checkpoint", [&] {
    if (comm.rank() == 0) {
      stamps = file_stamps(checkpoint);
      known = trust_cache ? cached_hashes(checkpoint, cache, stamps).dump() : "null";
    }
  });
  const json cached = json::parse(comm.broadcast(known));
  std::vector<std::string> hashes;
  if (cached.is_array()) {
    hashes = cached.get<std::vector<std::string>>();
  } else {
    hashes = read_hashes(checkpoint, comm);
    agree(comm, "noting the checkpoint's fingerprint", [&] {
      if (comm.rank() == 0) {
        write_text_file(cache, json{{"files", stamps},
                                    {"config_sha256", checkpoint.config().source_sha256},
                                    {"hashes", hashes}}
                                       .dump(1) +
                                   "\n");
      }
    });
  }
  SourceIdentity identity;
  identity.outer = hashes.back();
  hashes.pop_back();
  identity.blocks = std::move(hashes);
  identity.config_sha256 = checkpoint.config().source_sha256;
  return identity;
}

BlockWeights IdentifiedModel::load_block(int block) const {
  check_unchanged(checkpoint_, block, identity_.blocks.at(static_cast<std::size_t>(block)));
  return checkpoint_.load_block(block);
}

void IdentifiedModel::check_outer() const {
  std::call_once(outer_checked_, [&] { check_unchanged(checkpoint_, -1, identity_.outer); });
}

Matrix<float> IdentifiedModel::embed(std::span<const std::int32_t> ids) const {
  check_outer();
  return checkpoint_.embed(ids);
}

std::vector<float> IdentifiedModel::final_norm() const {
  check_outer();
  return checkpoint_.final_norm();
}

Matrix<float> IdentifiedModel::head() const {
  check_outer();
  return checkpoint_.head();
}

}  // namespace btc
