#pragma once
/// Rows of task files: one JSON object per line. Every message begins with file and line.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace btc {

/// One row, or an object inside one. A field of another type than asked for, or an absent one, is
/// an InputError that names file, line, field and what was expected.
class JsonRow {
 public:
  /// @param where `FILE: line N`
  /// @throws InputError if the text is not one JSON object, or a name occurs twice in it
  static JsonRow parse(std::string_view json, std::string where);
  ~JsonRow();
  JsonRow(JsonRow&&) noexcept;
  JsonRow& operator=(JsonRow&&) noexcept;

  /// Present and not null.
  [[nodiscard]] bool has(std::string_view field) const;
  [[nodiscard]] std::string text(std::string_view field) const;
  /// A text that is not empty.
  [[nodiscard]] std::string filled_text(std::string_view field) const;
  /// A text, or a whole number as its digits: labels come as both.
  [[nodiscard]] std::string label(std::string_view field) const;
  /// A whole number in [0, count), written as a number or as text.
  [[nodiscard]] std::int32_t index(std::string_view field, std::size_t count) const;
  /// `true` or `false`.
  [[nodiscard]] bool flag(std::string_view field) const;
  /// At least `least` texts.
  [[nodiscard]] std::vector<std::string> texts(std::string_view field, std::size_t least) const;
  /// Labels as `label` reads them.
  [[nodiscard]] std::vector<std::string> labels(std::string_view field) const;
  [[nodiscard]] JsonRow object(std::string_view field) const;
  /// @throws InputError `FILE: line N: field 'F': expected EXPECTED, found ...`
  [[noreturn]] void refuse(std::string_view field, std::string_view expected) const;

 private:
  struct Value;
  JsonRow(std::unique_ptr<Value> value, std::string where, std::string path);
  std::unique_ptr<Value> value_;
  std::string where_;
  std::string path_;  ///< of this object inside the row, with a dot at its end: `choices.`
};

/// Calls `visit` with each row in file order. Lines end at LF only; blank lines are passed over.
/// @param limit stops after so many rows; 0: no limit
/// @return rows visited
/// @throws InputError as JsonRow, or if there is no row; IoError
std::size_t for_each_row(const std::filesystem::path& path, std::size_t limit,
                         const std::function<void(const JsonRow&)>& visit);

}  // namespace btc
