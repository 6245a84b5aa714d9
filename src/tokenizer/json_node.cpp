#include "tokenizer/json_node.hpp"

#include <algorithm>
#include <limits>

#include "io/atomic_file.hpp"
#include "io/json_check.hpp"

namespace btc {

namespace {

std::string excerpt(const nlohmann::json& value) {
  constexpr std::size_t kMaxBytes = 80;
  std::string text = value.dump();
  if (text.size() > kMaxBytes) {
    text = text.substr(0, kMaxBytes) + "...";
  }
  return text;
}

}  // namespace

std::optional<JsonNode> JsonNode::find(std::string_view name) const {
  if (!value_->is_object()) {
    refuse("expected an object, found ", excerpt(*value_));
  }
  const auto field = value_->find(name);
  if (field == value_->end() || field->is_null()) {
    return std::nullopt;
  }
  return JsonNode(*field, concat(where_, is_root() ? "" : ".", name));
}

JsonNode JsonNode::at(std::string_view name) const {
  auto field = find(name);
  if (!field) {
    refuse("no field ", name);
  }
  return *std::move(field);
}

JsonNode JsonNode::element(std::size_t index) const {
  return {value_->at(index), concat(where_, "[", index, "]")};
}

std::size_t JsonNode::size() const {
  if (!value_->is_array()) {
    refuse("expected a list, found ", excerpt(*value_));
  }
  return value_->size();
}

const std::string& JsonNode::text() const {
  if (!value_->is_string()) {
    refuse("expected a text, found ", excerpt(*value_));
  }
  return value_->get_ref<const std::string&>();
}

const std::string& JsonNode::some_text() const {
  if (text().empty()) {
    refuse("the text is empty");
  }
  return text();
}

bool JsonNode::flag() const {
  if (!value_->is_boolean()) {
    refuse("expected true or false, found ", excerpt(*value_));
  }
  return value_->get<bool>();
}

std::int32_t JsonNode::id() const {
  const bool valid = value_->is_number_unsigned() &&
                     value_->get<std::uint64_t>() <= std::numeric_limits<std::int32_t>::max();
  if (!valid) {
    refuse("expected a whole number from 0 to 2^31 - 1, found ", excerpt(*value_));
  }
  return value_->get<std::int32_t>();
}

bool JsonNode::flag_or(std::string_view name, bool otherwise) const {
  const auto field = find(name);
  return field ? field->flag() : otherwise;
}

void JsonNode::require_only(std::initializer_list<std::string_view> names) const {
  if (!value_->is_object()) {
    refuse("expected an object, found ", excerpt(*value_));
  }
  for (const auto& [name, field] : value_->items()) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      refuse("the field ", name, " is not supported");
    }
  }
}

nlohmann::json read_json_object(const std::filesystem::path& path) {
  constexpr int kMaxDepth = 64;
  const std::string text = read_text_file(path);
  try {
    check_json(text, path.string(), kMaxDepth);
  } catch (const FormatError& error) {
    throw InputError(error.what());
  }
  nlohmann::json document = nlohmann::json::parse(text);
  BTC_REQUIRE(InputError, document.is_object(), path.string(), ": expected a JSON object");
  return document;
}

}  // namespace btc
