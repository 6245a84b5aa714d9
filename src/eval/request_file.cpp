#include "eval/request_file.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/matrix.hpp"
#include "common/version.hpp"
#include "io/format_version.hpp"
#include "io/hdf5_file.hpp"

namespace btc {

namespace {

constexpr std::string_view kVersion = "1.0";
constexpr std::string_view kSchema = "btc.requests";
constexpr std::string_view kTasks = "/tasks";

/// Calls `visit(name, vector)` with each dataset of a task, in the order of the content's hash.
template <typename Task, typename Visit>
void for_each_dataset(Task& task, Visit visit) {
  auto& requests = task.requests;
  visit("tokens", requests.tokens);
  visit("offset", requests.offset);
  visit("ctx_len", requests.ctx_len);
  visit("doc_start", requests.doc_start);
  visit("gold", requests.gold);
  visit("char_len", requests.char_len);
  visit("byte_len", requests.byte_len);
  if (task.kind == TaskKind::kRolling) {
    visit("doc_words", task.doc_words);
    visit("doc_bytes", task.doc_bytes);
  }
}

std::string hash_of(std::span<const TaskRequests> tasks) {
  Sha256 sha;
  for (const TaskRequests& task : tasks) {
    for_each_dataset(task, [&](const char* /*name*/, const auto& values) {
      sha.update(std::as_bytes(std::span(values)));
    });
  }
  return sha.finish();
}

std::string joined(const std::vector<std::string>& texts, char separator) {
  std::string all;
  for (const std::string& text : texts) {
    all += all.empty() ? "" : std::string(1, separator);
    all += text;
  }
  return all;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t length = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, length));
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return parts;
}

void write_task(Hdf5File& file, const TaskRequests& task) {
  constexpr std::size_t kChunk = std::size_t{64} << 10U;
  const std::string group = concat(kTasks, "/", task.requests.task);
  for_each_dataset(task, [&]<typename T>(const char* name, const std::vector<T>& values) {
    const std::string dataset = concat(group, "/", name);
    file.create_dataset(dataset, hdf5_type<T>(), {values.size()},
                        {.chunk = {std::min(values.size(), kChunk)}, .deflated = true});
    file.write_rows<T>(dataset, 0, values.size(), values);
  });
  std::vector<std::string> metrics;
  for (const Metric metric : task.metrics) {
    metrics.emplace_back(name_of(metric));
  }
  file.set_attribute(group, "kind", name_of(task.kind));
  file.set_attribute(group, "metrics", joined(metrics, ','));
  file.set_attribute(group, "task_version", std::int64_t{task.version});
  file.set_attribute(group, "split", task.split);
  file.set_attribute(group, "num_fewshot", std::int64_t{0});
  file.set_attribute(group, "add_bos", std::int64_t{task.add_bos ? 1 : 0});
  file.set_attribute(group, "request_sha256", task.request_sha256);
  file.set_attribute(group, "boundary_violations", task.boundary_violations);
  file.set_attribute(group, "cut_requests", task.cut_requests);
  file.set_attribute(group, "limit", task.limit);
  file.set_attribute(group, "notes", joined(task.notes, '\n'));
}

TaskRequests read_task(const Hdf5File& file, const std::string& name, const std::string& origin) {
  const std::string group = concat(kTasks, "/", name);
  const std::string where = concat(origin, ": ", group);
  TaskRequests task;
  task.requests.task = name;
  task.kind = task_kind(file.text_attribute(group, "kind"), where);
  for (const std::string& metric_name : split(file.text_attribute(group, "metrics"), ',')) {
    task.metrics.push_back(metric(metric_name, where));
  }
  for_each_dataset(task, [&]<typename T>(const char* dataset, std::vector<T>& values) {
    const std::string path = concat(group, "/", dataset);
    BTC_REQUIRE(FormatError, file.shape(path).size() == 1, origin, ": ", path,
                ": expected one dimension");
    values = file.read<T>(path);
  });
  task.version = narrow<int>(file.int_attribute(group, "task_version"));
  task.split = file.text_attribute(group, "split");
  task.add_bos = file.int_attribute(group, "add_bos") != 0;
  task.request_sha256 = file.text_attribute(group, "request_sha256");
  task.boundary_violations = file.int_attribute(group, "boundary_violations");
  task.cut_requests = file.int_attribute(group, "cut_requests");
  task.limit = file.int_attribute(group, "limit");
  task.notes = split(file.text_attribute(group, "notes"), '\n');
  return task;
}

/// Positions that begin at 0, rise and end at `total`.
void check_positions(std::span<const std::int64_t> positions, std::size_t total,
                     std::string_view where) {
  BTC_REQUIRE(FormatError, positions.size() >= 2 && positions.front() == 0, where,
              ": expected two or more positions from 0");
  for (std::size_t i = 1; i < positions.size(); ++i) {
    BTC_REQUIRE(FormatError, positions[i] > positions[i - 1], where, "[", i, "]: ", positions[i],
                ", expected more than ", positions[i - 1]);
  }
  BTC_REQUIRE(FormatError, std::cmp_equal(positions.back(), total), where, ": ends at ",
              positions.back(), ", expected ", total);
}

template <typename T>
void check_size(const std::vector<T>& values, std::size_t expected, std::string_view where,
                std::string_view name) {
  BTC_REQUIRE(FormatError, values.size() == expected, where, "/", name, ": ", values.size(),
              " values, expected ", expected);
}

template <typename T>
void check_least(const std::vector<T>& values, T least, std::string_view where,
                 std::string_view name) {
  const auto bad = std::find_if(values.begin(), values.end(), [&](T v) { return v < least; });
  BTC_REQUIRE(FormatError, bad == values.end(), where, "/", name, "[", bad - values.begin(),
              "]: ", *bad, ", expected at least ", least);
}

void check_lengths(const TokenRequests& requests, std::size_t max_length, std::string_view where) {
  for (std::size_t r = 0; r < requests.requests(); ++r) {
    const std::int64_t length = requests.offset[r + 1] - requests.offset[r];
    BTC_REQUIRE(FormatError, std::cmp_less_equal(length, max_length + 1), where, ": request ", r,
                ": ", length, " ids, expected at most ", max_length + 1);
    BTC_REQUIRE(FormatError, requests.ctx_len[r] >= 1 && requests.ctx_len[r] < length, where,
                "/ctx_len[", r, "]: ", requests.ctx_len[r], ", expected 1 to ", length - 1);
  }
}

void check_documents(const TaskRequests& task, std::string_view where) {
  const TokenRequests& requests = task.requests;
  for (std::size_t d = 0; d < requests.documents(); ++d) {
    const std::int64_t choices = requests.doc_start[d + 1] - requests.doc_start[d];
    BTC_REQUIRE(FormatError, task.kind != TaskKind::kLikelihood || choices == 1, where,
                ": document ", d, ": ", choices, " requests, expected 1");
    const std::int64_t answers = task.kind == TaskKind::kChoices ? choices : 1;
    BTC_REQUIRE(FormatError, requests.gold[d] >= 0 && requests.gold[d] < answers, where, "/gold[",
                d, "]: ", requests.gold[d], ", expected 0 to ", answers - 1);
  }
}

void check_metrics(const TaskRequests& task, std::string_view where) {
  BTC_REQUIRE(FormatError, !task.metrics.empty(), where, ": no metrics");
  for (const Metric metric : task.metrics) {
    BTC_REQUIRE(FormatError, applies(metric, task.kind), where, ": metric ", name_of(metric),
                " does not apply to kind ", name_of(task.kind));
  }
}

std::size_t size_attribute(const Hdf5File& file, std::string_view name, std::int64_t least,
                           const std::string& origin) {
  const std::int64_t value = file.int_attribute("/", name);
  BTC_REQUIRE(FormatError, value >= least, origin, ": attribute ", name, " is ", value,
              ", expected at least ", least);
  return static_cast<std::size_t>(value);
}

}  // namespace

void check_task_requests(const TaskRequests& task, std::size_t vocab_size, std::size_t max_length,
                         std::string_view origin) {
  const TokenRequests& requests = task.requests;
  const std::string where = concat(origin, ": ", kTasks, "/", requests.task);
  check_metrics(task, where);
  check_size(requests.offset, requests.requests() + 1, where, "offset");
  check_size(requests.char_len, requests.requests(), where, "char_len");
  check_size(requests.byte_len, requests.requests(), where, "byte_len");
  check_size(requests.doc_start, requests.documents() + 1, where, "doc_start");
  check_positions(requests.offset, requests.tokens.size(), where + "/offset");
  check_positions(requests.doc_start, requests.requests(), where + "/doc_start");
  check_lengths(requests, max_length, where);
  check_documents(task, where);
  check_least(requests.char_len, 0, where, "char_len");
  check_least(requests.byte_len, 0, where, "byte_len");
  if (task.kind == TaskKind::kRolling) {
    check_size(task.doc_words, requests.documents(), where, "doc_words");
    check_size(task.doc_bytes, requests.documents(), where, "doc_bytes");
    check_least(task.doc_words, std::int64_t{1}, where, "doc_words");
    check_least(task.doc_bytes, std::int64_t{1}, where, "doc_bytes");
  }
  const auto bad = std::find_if(
      requests.tokens.begin(), requests.tokens.end(),
      [&](std::int32_t id) { return id < 0 || std::cmp_greater_equal(id, vocab_size); });
  BTC_REQUIRE(InputError, bad == requests.tokens.end(), where, "/tokens[",
              bad - requests.tokens.begin(), "]: id ", *bad, ", expected 0 to ", vocab_size - 1,
              ": was the file made for another model?");
}

void write_requests(const std::filesystem::path& path, const RequestFile& file) {
  std::vector<TaskRequests> tasks = file.tasks;
  std::sort(tasks.begin(), tasks.end(), [](const TaskRequests& a, const TaskRequests& b) {
    return a.requests.task < b.requests.task;
  });
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    BTC_REQUIRE(ConfigError, t == 0 || tasks[t].requests.task != tasks[t - 1].requests.task,
                path.string(), ": two tasks of the name ", tasks[t].requests.task);
    check_task_requests(tasks[t], file.vocab_size, file.max_length, path.string());
  }
  Hdf5File out = Hdf5File::create(path);
  for (const TaskRequests& task : tasks) {
    write_task(out, task);
  }
  out.set_attribute("/", "schema", kSchema);
  out.set_attribute("/", "version", kVersion);
  out.set_attribute("/", "producer", concat("btc_pipeline ", version()));
  out.set_attribute("/", "made_by", file.made_by);
  out.set_attribute("/", "tokenizer_sha256", file.tokenizer_sha256);
  out.set_attribute("/", "vocab_size", narrow<std::int64_t>(file.vocab_size));
  out.set_attribute("/", "bos_id", std::int64_t{file.bos_id});
  out.set_attribute("/", "max_length", narrow<std::int64_t>(file.max_length));
  out.set_attribute("/", "content_sha256", hash_of(tasks));
  out.commit();
}

RequestFile read_requests(const std::filesystem::path& path, std::size_t vocab_size) {
  const std::string origin = path.string();
  const Hdf5File in = Hdf5File::open(path);
  const std::string schema = in.text_attribute("/", "schema");
  BTC_REQUIRE(FormatError, schema == kSchema, origin, ": schema '", schema, "', expected ",
              kSchema);
  check_version(in.text_attribute("/", "version"), kVersion, origin);
  RequestFile file{.tokenizer_sha256 = in.text_attribute("/", "tokenizer_sha256"),
                   .vocab_size = size_attribute(in, "vocab_size", 1, origin),
                   .max_length = size_attribute(in, "max_length", 1, origin),
                   .made_by = in.text_attribute("/", "made_by"),
                   .content_sha256 = in.text_attribute("/", "content_sha256")};
  const std::int64_t bos = in.int_attribute("/", "bos_id");
  BTC_REQUIRE(FormatError, bos >= -1 && std::cmp_less(bos, file.vocab_size), origin,
              ": attribute bos_id is ", bos, ", expected -1 to ", file.vocab_size - 1);
  file.bos_id = static_cast<std::int32_t>(bos);
  for (const std::string& name : in.children(kTasks)) {
    file.tasks.push_back(read_task(in, name, origin));
    file.tasks.back().max_length = file.max_length;
  }
  BTC_REQUIRE(FormatError, !file.tasks.empty(), origin, ": ", kTasks, " holds no task");
  const std::string found = hash_of(file.tasks);
  BTC_REQUIRE(FormatError, found == file.content_sha256, origin, ": the content has SHA-256 ",
              found, ", expected ", file.content_sha256, ": the file is damaged");
  for (const TaskRequests& task : file.tasks) {
    check_task_requests(task, vocab_size, file.max_length, origin);
  }
  return file;
}

void check_tokenizer(const RequestFile& file, std::string_view tokenizer_sha256,
                     std::string_view origin) {
  BTC_REQUIRE(InputError, file.tokenizer_sha256 == tokenizer_sha256, origin,
              ": made with the tokenizer of SHA-256 ", file.tokenizer_sha256,
              ", expected the model's, ", tokenizer_sha256);
}

}  // namespace btc
