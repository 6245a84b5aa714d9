#pragma once
/// Typed access to the fields of a config.json that collects problems instead of stopping at one.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace btc {

/// Fields are named by a path with dots: `rope_scaling.factor`. An absent field and a null are the
/// same. A field of the wrong type adds a problem and reads as absent.
class ConfigReader {
 public:
  /// @param origin names the file in errors
  /// @throws InputError if the text is not a JSON object
  ConfigReader(std::string_view json, std::string_view origin);
  ~ConfigReader();
  ConfigReader(const ConfigReader&) = delete;
  ConfigReader& operator=(const ConfigReader&) = delete;

  /// Present and not null.
  [[nodiscard]] bool has(std::string_view field) const;
  /// Present and null.
  [[nodiscard]] bool states_null(std::string_view field) const;
  /// The value as JSON text, for messages; `absent` if there is none.
  [[nodiscard]] std::string shown(std::string_view field) const;
  /// A whole number >= 0.
  std::optional<std::uint64_t> integer(std::string_view field);
  /// A finite number.
  std::optional<double> number(std::string_view field);
  std::optional<bool> flag(std::string_view field);
  std::optional<std::string> text(std::string_view field);
  /// An array of texts.
  std::optional<std::vector<std::string>> texts(std::string_view field);
  /// True for an absent field, null, false, 0, an empty text, array or object.
  [[nodiscard]] bool neutral(std::string_view field) const;

  /// A whole number in [1, 2^31); absent: `fallback`, or a problem if there is no fallback.
  std::size_t size(std::string_view field, std::optional<std::size_t> fallback = std::nullopt);
  /// A number > 0; absent: `fallback`, or a problem if there is no fallback.
  double positive(std::string_view field, std::optional<double> fallback = std::nullopt);

  void add_problem(std::string text);
  [[nodiscard]] bool clean() const;
  /// @throws InputError with every problem found, if any
  void throw_if_problems() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace btc
