#include "model/config_reader.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/error.hpp"
#include "common/matrix.hpp"

namespace btc {

using nlohmann::json;

struct ConfigReader::State {
  json root;
  std::string origin;
  std::vector<std::string> problems;

  [[nodiscard]] const json* find(std::string_view field) const {
    const json* node = &root;
    while (true) {
      const std::size_t dot = field.find('.');
      const auto it = node->is_object() ? node->find(field.substr(0, dot)) : node->end();
      if (it == node->end() || it->is_null()) {
        return nullptr;
      }
      node = &*it;
      if (dot == std::string_view::npos) {
        return node;
      }
      field.remove_prefix(dot + 1);
    }
  }
};

ConfigReader::ConfigReader(std::string_view json_text, std::string_view origin)
    : state_(std::make_unique<State>()) {
  state_->origin = origin;
  try {
    state_->root = json::parse(json_text);
  } catch (const json::exception& error) {
    BTC_THROW(InputError, origin, ": not valid JSON: ", error.what());
  }
  BTC_REQUIRE(InputError, state_->root.is_object(), origin, ": expected a JSON object, found ",
              state_->root.type_name());
}

ConfigReader::~ConfigReader() = default;

bool ConfigReader::has(std::string_view field) const { return state_->find(field) != nullptr; }

bool ConfigReader::states_null(std::string_view field) const {
  const auto it = state_->root.find(field);
  return it != state_->root.end() && it->is_null();
}

std::string ConfigReader::shown(std::string_view field) const {
  const json* node = state_->find(field);
  return node == nullptr ? "absent" : node->dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<std::uint64_t> ConfigReader::integer(std::string_view field) {
  const json* node = state_->find(field);
  if (node == nullptr) {
    return std::nullopt;
  }
  if (!node->is_number_unsigned()) {
    add_problem(concat(field, ": expected a whole number >= 0, found ", shown(field)));
    return std::nullopt;
  }
  return node->get<std::uint64_t>();
}

std::optional<double> ConfigReader::number(std::string_view field) {
  const json* node = state_->find(field);
  if (node == nullptr) {
    return std::nullopt;
  }
  if (!node->is_number() || !std::isfinite(node->get<double>())) {
    add_problem(concat(field, ": expected a number, found ", shown(field)));
    return std::nullopt;
  }
  return node->get<double>();
}

std::optional<bool> ConfigReader::flag(std::string_view field) {
  const json* node = state_->find(field);
  if (node == nullptr) {
    return std::nullopt;
  }
  if (!node->is_boolean()) {
    add_problem(concat(field, ": expected true or false, found ", shown(field)));
    return std::nullopt;
  }
  return node->get<bool>();
}

std::optional<std::string> ConfigReader::text(std::string_view field) {
  const json* node = state_->find(field);
  if (node == nullptr) {
    return std::nullopt;
  }
  if (!node->is_string()) {
    add_problem(concat(field, ": expected a text, found ", shown(field)));
    return std::nullopt;
  }
  return node->get<std::string>();
}

std::optional<std::vector<std::string>> ConfigReader::texts(std::string_view field) {
  const json* node = state_->find(field);
  if (node == nullptr) {
    return std::nullopt;
  }
  std::vector<std::string> values;
  bool good = node->is_array();
  for (std::size_t i = 0; good && i < node->size(); ++i) {
    good = (*node)[i].is_string();
    if (good) {
      values.push_back((*node)[i].get<std::string>());
    }
  }
  if (!good) {
    add_problem(concat(field, ": expected a list of texts, found ", shown(field)));
    return std::nullopt;
  }
  return values;
}

bool ConfigReader::neutral(std::string_view field) const {
  const json* node = state_->find(field);
  if (node == nullptr) {
    return true;
  }
  if (node->is_boolean()) {
    return !node->get<bool>();
  }
  return node->is_number()   ? node->get<double>() == 0.0
         : node->is_string() ? node->get_ref<const std::string&>().empty()
                             : node->empty();
}

std::size_t ConfigReader::size(std::string_view field, std::optional<std::size_t> fallback) {
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 31U;
  const auto value = integer(field);
  if (!value) {
    if (!has(field) && !fallback) {
      add_problem(concat(field, ": missing"));
    }
    return fallback.value_or(0);
  }
  if (*value == 0 || *value >= kLimit) {
    add_problem(concat(field, ": expected 1 to ", kLimit - 1, ", found ", *value));
    return fallback.value_or(0);
  }
  return narrow<std::size_t>(*value);
}

double ConfigReader::positive(std::string_view field, std::optional<double> fallback) {
  const auto value = number(field);
  if (!value) {
    if (!has(field) && !fallback) {
      add_problem(concat(field, ": missing"));
    }
    return fallback.value_or(1.0);
  }
  if (*value <= 0) {
    add_problem(concat(field, ": expected a number > 0, found ", shown(field)));
    return fallback.value_or(1.0);
  }
  return *value;
}

void ConfigReader::add_problem(std::string text) { state_->problems.push_back(std::move(text)); }

bool ConfigReader::clean() const { return state_->problems.empty(); }

void ConfigReader::throw_if_problems() const {
  if (clean()) {
    return;
  }
  std::string message = concat(state_->origin, ": ", state_->problems.size(),
                               state_->problems.size() == 1 ? " problem" : " problems");
  for (const std::string& problem : state_->problems) {
    message += "\n  " + problem;
  }
  throw InputError(message);
}

}  // namespace btc
