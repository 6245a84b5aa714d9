#include "eval/jsonl.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/error.hpp"
#include "common/white_space.hpp"
#include "io/atomic_file.hpp"
#include "io/json_check.hpp"

namespace btc {

namespace {

using nlohmann::json;

constexpr int kMaxDepth = 16;

/// A value in a message: short, and never invalid UTF-8.
std::string shown(const json* value) {
  constexpr std::size_t kLongest = 60;
  if (value == nullptr) {
    return "no such field";
  }
  std::string text = value->dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > kLongest) {
    text.resize(kLongest);
    text += "...";
  }
  return text;
}

/// A label: text as it is, a whole number as its digits. @return false for anything else
bool read_label(const json& value, std::string& label) {
  if (value.is_string()) {
    label = value.get<std::string>();
    return true;
  }
  if (value.is_number_integer()) {
    label = value.dump();
    return true;
  }
  return false;
}

}  // namespace

struct JsonRow::Value {
  json object;

  [[nodiscard]] const json* find(std::string_view field) const {
    const auto found = object.find(field);
    return found == object.end() || found->is_null() ? nullptr : &*found;
  }
};

JsonRow::JsonRow(std::unique_ptr<Value> value, std::string where, std::string path)
    : value_(std::move(value)), where_(std::move(where)), path_(std::move(path)) {}
JsonRow::~JsonRow() = default;
JsonRow::JsonRow(JsonRow&&) noexcept = default;
JsonRow& JsonRow::operator=(JsonRow&&) noexcept = default;

JsonRow JsonRow::parse(std::string_view json_text, std::string where) {
  try {
    check_json(json_text, where, kMaxDepth);
  } catch (const FormatError& error) {
    BTC_THROW(InputError, error.what(), ", expected one JSON object");
  }
  auto value = std::make_unique<Value>(Value{json::parse(json_text)});
  BTC_REQUIRE(InputError, value->object.is_object(), where, ": expected one JSON object, found ",
              shown(&value->object));
  return {std::move(value), std::move(where), ""};
}

void JsonRow::refuse(std::string_view field, std::string_view expected) const {
  BTC_THROW(InputError, where_, ": field '", path_, field, "': expected ", expected, ", found ",
            shown(value_->find(field)));
}

bool JsonRow::has(std::string_view field) const { return value_->find(field) != nullptr; }

std::string JsonRow::text(std::string_view field) const {
  const json* value = value_->find(field);
  if (value == nullptr || !value->is_string()) {
    refuse(field, "a text");
  }
  return value->get<std::string>();
}

std::string JsonRow::filled_text(std::string_view field) const {
  std::string value = text(field);
  if (value.empty()) {
    refuse(field, "a text that is not empty");
  }
  return value;
}

std::string JsonRow::label(std::string_view field) const {
  const json* value = value_->find(field);
  std::string found;
  if (value == nullptr || !read_label(*value, found)) {
    refuse(field, "a text or a whole number");
  }
  return found;
}

std::int32_t JsonRow::index(std::string_view field, std::size_t count) const {
  const json* value = value_->find(field);
  std::string digits;
  std::int32_t number = -1;
  if (value != nullptr && read_label(*value, digits)) {
    const char* const end = digits.data() + digits.size();
    const auto [rest, error] = std::from_chars(digits.data(), end, number);
    if (error != std::errc() || rest != end) {
      number = -1;
    }
  }
  if (number < 0 || std::cmp_greater_equal(number, count)) {
    refuse(field, concat("a whole number from 0 to ", count - 1));
  }
  return number;
}

bool JsonRow::flag(std::string_view field) const {
  const json* value = value_->find(field);
  if (value == nullptr || !value->is_boolean()) {
    refuse(field, "true or false");
  }
  return value->get<bool>();
}

std::vector<std::string> JsonRow::texts(std::string_view field, std::size_t least) const {
  const json* value = value_->find(field);
  std::vector<std::string> found;
  bool good = value != nullptr && value->is_array() && value->size() >= least;
  for (std::size_t i = 0; good && i < value->size(); ++i) {
    good = (*value)[i].is_string();
    if (good) {
      found.push_back((*value)[i].get<std::string>());
    }
  }
  if (!good) {
    refuse(field, concat("a list of ", least, " or more texts"));
  }
  return found;
}

std::vector<std::string> JsonRow::labels(std::string_view field) const {
  const json* value = value_->find(field);
  std::vector<std::string> found;
  bool good = value != nullptr && value->is_array();
  for (std::size_t i = 0; good && i < value->size(); ++i) {
    good = read_label((*value)[i], found.emplace_back());
  }
  if (!good) {
    refuse(field, "a list of texts or whole numbers");
  }
  return found;
}

JsonRow JsonRow::object(std::string_view field) const {
  const json* value = value_->find(field);
  if (value == nullptr || !value->is_object()) {
    refuse(field, "an object");
  }
  return {std::make_unique<Value>(Value{*value}), where_, concat(path_, field, ".")};
}

std::size_t for_each_row(const std::filesystem::path& path, std::size_t limit,
                         const std::function<void(const JsonRow&)>& visit) {
  const std::string file = read_text_file(path);
  std::string_view rest = file;
  std::size_t rows = 0;
  for (std::size_t number = 1; !rest.empty() && (limit == 0 || rows < limit); ++number) {
    const std::size_t length = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, length);
    rest.remove_prefix(std::min(length + 1, rest.size()));
    if (!strip(line).empty()) {
      visit(JsonRow::parse(line, concat(path.string(), ": line ", number)));
      ++rows;
    }
  }
  BTC_REQUIRE(InputError, rows > 0, path.string(),
              ": holds no row, expected one JSON object a line");
  return rows;
}

}  // namespace btc
