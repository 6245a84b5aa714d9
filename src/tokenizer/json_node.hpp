#pragma once
/// A value of a JSON file that knows where it stands, for messages like
/// `tokenizer.json: model.merges[3]: expected ...`.

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "common/error.hpp"

namespace btc {

/// Borrows the document; every accessor throws InputError naming file and entry.
class JsonNode {
 public:
  JsonNode(const nlohmann::json& value, std::string where)
      : value_(&value), where_(std::move(where)) {}

  [[nodiscard]] const std::string& where() const { return where_; }
  [[nodiscard]] const nlohmann::json& value() const { return *value_; }
  [[nodiscard]] bool is_null() const { return value_->is_null(); }

  /// A field that must be there.
  [[nodiscard]] JsonNode at(std::string_view name) const;
  /// A field, or nullopt if it is absent or null.
  [[nodiscard]] std::optional<JsonNode> find(std::string_view name) const;
  [[nodiscard]] JsonNode element(std::size_t index) const;
  /// Number of elements of an array.
  [[nodiscard]] std::size_t size() const;

  [[nodiscard]] const std::string& text() const;
  /// A text that is not empty.
  [[nodiscard]] const std::string& some_text() const;
  [[nodiscard]] bool flag() const;
  /// A whole number in [0, 2^31).
  [[nodiscard]] std::int32_t id() const;
  [[nodiscard]] bool flag_or(std::string_view name, bool otherwise) const;

  /// This is an object without other fields. @throws InputError naming the field
  void require_only(std::initializer_list<std::string_view> names) const;
  /// Throws InputError: `WHERE: TEXT`.
  template <typename... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    BTC_THROW(InputError, where_, is_root() ? "" : ": ", parts...);
  }

 private:
  /// The document itself: `FILE: `.
  [[nodiscard]] bool is_root() const { return where_.ends_with(' '); }

  const nlohmann::json* value_;
  std::string where_;
};

/// Parses a file. @throws InputError if it is no JSON object, or has a name twice in an object
nlohmann::json read_json_object(const std::filesystem::path& path);

}  // namespace btc
