#include "pipeline/sequences.hpp"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "calibration/tokens.hpp"
#include "comm/agree.hpp"
#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/rng.hpp"
#include "model/block_forward.hpp"
#include "tokenizer/tokenizer.hpp"

namespace btc {

namespace {

/// Sequences sampled together; fixed, because a batch's size can change its last bits.
constexpr std::size_t kSampleBatch = 8;

/// Rows `first`... of `to` from the raw bytes of ids.
void copy_rows(const std::string& bytes, std::size_t first, Matrix<std::int32_t>& to) {
  BTC_CHECK(
      first * to.cols() * sizeof(std::int32_t) + bytes.size() <= to.size() * sizeof(std::int32_t),
      "sampled rows past the end");
  std::memcpy(to.data() + first * to.cols(), bytes.data(), bytes.size());
}

/// Batch `batch` as raw bytes of its ids.
std::string sample_batch(const ModelSource& model, std::size_t first, std::size_t end,
                         std::size_t window, std::uint64_t seed, const std::string& purpose) {
  std::vector<std::uint64_t> seeds;
  for (std::size_t s = first; s < end; ++s) {
    seeds.push_back(derive_seed(seed, purpose, s));
  }
  std::string bytes;
  for (const auto& sequence : sample_sequences(model, window, seeds)) {
    const auto raw = std::as_bytes(std::span(sequence));
    bytes.append(reinterpret_cast<const char*>(raw.data()), raw.size());
  }
  return bytes;
}

TokenizedText tokenize_source(const std::filesystem::path& model_path,
                              const std::filesystem::path& text_path, std::size_t vocab_size,
                              TextJoin join = TextJoin::kAuto) {
  TokenizedText text = tokenize_file(*open_tokenizer(model_path), text_path, join);
  check_ids(text.ids, vocab_size,
            concat(text_path.string(), " by the tokenizer of ", model_path.string()));
  return text;
}

/// A token file that the user made. @throws InputError if it is damaged too: no retry mends it
TokenFile read_prepared(const std::filesystem::path& path, std::size_t vocab_size) {
  try {
    return read_token_file(path, vocab_size);
  } catch (const FormatError& error) {
    throw InputError(error.what());
  }
}

/// The first rows of prepared sequences. @throws InputError if there are too few or of other length
Matrix<std::int32_t> take_rows(const Matrix<std::int32_t>& from, std::size_t samples,
                               std::size_t window, const std::filesystem::path& path) {
  BTC_REQUIRE(InputError, from.cols() == window && from.rows() >= samples, path.string(),
              ": expected at least ", samples, " sequences of ", window, " ids, got ", from.rows(),
              " of ", from.cols());
  Matrix<std::int32_t> rows(samples, window);
  std::copy_n(from.data(), rows.size(), rows.data());
  return rows;
}

EvaluationWindows windows_of_file(const PerplexityParams& params,
                                  const std::filesystem::path& model_path, std::size_t vocab_size) {
  EvaluationWindows result;
  TokenizedText text;
  if (params.source == TokenSource::kText) {
    text = tokenize_source(model_path, params.path, vocab_size, params.join);
  } else {
    TokenFile file = read_prepared(params.path, vocab_size);
    if (file.sequences) {
      result.protocol = "prepared-sequences";
      result.tokens = file.sequences->size();
      result.ids = take_rows(*file.sequences, file.sequences->rows(), params.window, params.path);
      return result;
    }
    text = std::move(*file.text);
  }
  result.protocol = text.join == "c4" ? "gptq-c4" : "gptq";
  result.tokens = text.ids.size();
  result.add_bos = text.add_bos;
  result.ids = cut_windows(text.ids, params.window);
  return result;
}

/// `windows` of rank 0 on every rank.
void broadcast_windows(const Communicator& comm, EvaluationWindows& windows) {
  nlohmann::json header = {windows.ids.rows(), windows.ids.cols(), windows.protocol, windows.tokens,
                           windows.add_bos};
  header = nlohmann::json::parse(comm.broadcast(header.dump()));
  std::string bytes(reinterpret_cast<const char*>(windows.ids.data()),
                    windows.ids.size() * sizeof(std::int32_t));
  bytes = comm.broadcast(std::move(bytes));
  windows.protocol = header[2].get<std::string>();
  windows.tokens = header[3].get<std::uint64_t>();
  windows.add_bos = header[4].get<bool>();
  windows.ids = Matrix<std::int32_t>(header[0].get<std::size_t>(), header[1].get<std::size_t>());
  copy_rows(bytes, 0, windows.ids);
}

}  // namespace

Matrix<std::int32_t> sample_from_model(const ModelSource& model, const Communicator& comm,
                                       std::size_t samples, std::size_t window, std::uint64_t seed,
                                       const std::string& purpose) {
  const auto rank = static_cast<std::size_t>(comm.rank());
  const auto ranks = static_cast<std::size_t>(comm.size());
  const std::size_t batches = ceil_div(samples, kSampleBatch);
  std::string mine;
  agree(comm, "sampling from the original model", [&] {
    for (std::size_t batch = rank; batch < batches; batch += ranks) {
      const std::size_t first = batch * kSampleBatch;
      const std::size_t end = std::min(first + kSampleBatch, samples);
      mine += sample_batch(model, first, end, window, seed, purpose);
    }
  });
  const std::vector<std::string> all = comm.all_gather(mine);
  Matrix<std::int32_t> ids(samples, window);
  std::vector<std::size_t> position(ranks, 0);
  for (std::size_t batch = 0; batch < batches; ++batch) {
    const std::size_t first = batch * kSampleBatch;
    const std::size_t rows = std::min(kSampleBatch, samples - first);
    const std::size_t bytes = rows * window * sizeof(std::int32_t);
    const std::size_t from = batch % ranks;
    copy_rows(all[from].substr(position[from], bytes), first, ids);
    position[from] += bytes;
  }
  return ids;
}

std::string source_content(TokenSource source, const std::filesystem::path& path,
                           const std::filesystem::path& model_path) {
  if (source == TokenSource::kSelf) {
    return {};
  }
  BTC_REQUIRE(InputError, std::filesystem::is_regular_file(path), "no such file: ", path.string());
  std::string content = sha256_file(path);
  if (source == TokenSource::kIds) {
    return content;
  }
  const auto tokenizer = open_tokenizer(model_path);
  // Files beside the tokenizer decide about BOS; that a text has one needs no word.
  return concat(content, tokenizer->file_sha256(), tokenizer->bos_id() ? "" : " without BOS");
}

void check_window(const PerplexityParams& params, const ModelConfig& model) {
  BTC_REQUIRE(ConfigError, params.window <= model.max_position, "evaluate.perplexity ", params.name,
              ": window: expected at most ", model.max_position,
              " (max_position_embeddings of the model), got ", params.window);
}

Matrix<std::int32_t> read_calibration(const PipelineConfig& config, std::size_t vocab_size) {
  const CalibrationParams& calibration = config.calibration;
  TokenFile file;
  if (calibration.source == TokenSource::kText) {
    file.text = tokenize_source(config.model_path, calibration.path, vocab_size);
  } else {
    file = read_prepared(calibration.path, vocab_size);
  }
  if (file.sequences) {
    return take_rows(*file.sequences, calibration.samples, calibration.window, calibration.path);
  }
  return sample_windows(file.text->ids, calibration.samples, calibration.window,
                        derive_seed(config.run.seed, "calibration windows", 0));
}

EvaluationWindows read_evaluation(const PerplexityParams& params, const PipelineConfig& config,
                                  const ModelSource& original, const Communicator& comm) {
  EvaluationWindows windows;
  if (params.source == TokenSource::kSelf) {
    windows.ids = sample_from_model(original, comm, params.samples, params.window, config.run.seed,
                                    "evaluation");
    windows.protocol = "self-sampled";
    windows.tokens = windows.ids.size();
    windows.add_bos = original.config().bos_id.has_value();
  } else {
    agree(comm, concat("evaluate.perplexity ", params.name), [&] {
      if (comm.rank() == 0) {
        windows = windows_of_file(params, config.model_path, original.config().vocab_size);
      }
    });
    broadcast_windows(comm, windows);
  }
  const std::size_t limit = params.windows.value_or(windows.ids.rows());
  if (limit < windows.ids.rows()) {
    windows.ids = take_rows(windows.ids, limit, params.window, params.path);
  }
  return windows;
}

}  // namespace btc
