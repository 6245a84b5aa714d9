#include "support/pipeline_run.hpp"

#include <sys/stat.h>

#include "common/error.hpp"
#include "common/hash.hpp"
#include "io/atomic_file.hpp"

namespace btc::test {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kSequences = 8;
constexpr std::size_t kSequenceTokens = 32;
constexpr std::size_t kTextTokens = 200;

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

template <typename Value, typename Function>
std::map<std::string, Value> of_files_below(const fs::path& directory, const Function& function) {
  std::map<std::string, Value> result;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) {
      result[fs::relative(entry.path(), directory).string()] = function(entry.path());
    }
  }
  return result;
}

}  // namespace

ToyBench::ToyBench(const std::string& name, const ToyModel& toy) : scratch_(name) {
  write_toy_model(model(), toy);
  write_toy_sequences(calibration(), toy.vocab_size, kSequences, kSequenceTokens, 2);
  write_toy_text(text(), toy.vocab_size, kTextTokens, 3);
}

void ToyBench::configure(const std::string& run, const ToySettings& settings) const {
  std::string yaml =
      concat("run: {dir: ", run_dir(run).string(), ", seed: 42}\nmodel: {path: ", model().string(),
             "}\ncalibration: ", settings.calibration, "\ncompute: ", settings.compute,
             "\nbinarize: ", settings.binarize, "\ncodebook: ", settings.codebook,
             "\ntransform: ", settings.transform, "\nrefine: ", settings.refine,
             "\nevaluate: ", settings.evaluate, "\n");
  replace_all(yaml, "CALIBRATION", calibration().string());
  replace_all(yaml, "TEXT", text().string());
  write_text_file(config(run), yaml);
}

std::vector<std::string> ToyBench::command(const std::string& run, int ranks,
                                           const std::vector<std::string>& arguments) const {
  std::vector<std::string> command = {program("btc_pipeline"), "--config", config(run).string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return under_mpi(ranks, command);
}

ProcessResult ToyBench::start(const std::string& run, int ranks,
                              const std::vector<std::string>& arguments) const {
  return run_process(command(run, ranks, arguments));
}

std::string program(const std::string& name) { return concat(BTC_BIN_DIR, "/", name); }

std::map<std::string, std::string> hashes_below(const fs::path& directory) {
  return of_files_below<std::string>(directory, sha256_file);
}

std::map<std::string, std::int64_t> times_below(const fs::path& directory) {
  return of_files_below<std::int64_t>(directory, [](const fs::path& path) {
    struct stat status {};
    BTC_REQUIRE(IoError, stat(path.c_str(), &status) == 0, path.string(), ": no status");
    constexpr std::int64_t kNano = 1'000'000'000;
    return status.st_mtim.tv_sec * kNano + status.st_mtim.tv_nsec;
  });
}

}  // namespace btc::test
