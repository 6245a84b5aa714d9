#include "io/json_check.hpp"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "common/error.hpp"

namespace btc {
namespace {

/// Receives the events of the parser and keeps nothing but the names of the open objects.
class JsonChecker final : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonChecker(std::string_view origin, int max_depth) : origin_(origin), max_depth_(max_depth) {}

  bool null() override { return true; }
  bool boolean(bool /*value*/) override { return true; }
  bool number_integer(number_integer_t /*value*/) override { return true; }
  bool number_unsigned(number_unsigned_t /*value*/) override { return true; }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return true; }
  bool string(string_t& /*value*/) override { return true; }
  bool binary(binary_t& /*value*/) override { return true; }
  bool start_object(std::size_t /*elements*/) override { return open(); }
  bool start_array(std::size_t /*elements*/) override { return open(); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    BTC_REQUIRE(FormatError, names_.back().insert(name).second, origin_, ": the name \"", name,
                "\" occurs twice");
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& error) override {
    BTC_THROW(FormatError, origin_, ": byte ", position, ": not JSON: ", error.what());
  }

 private:
  bool open() {
    names_.emplace_back();
    BTC_REQUIRE(FormatError, names_.size() <= static_cast<std::size_t>(max_depth_), origin_,
                ": nested deeper than ", max_depth_, " levels");
    return true;
  }
  bool close() {
    names_.pop_back();
    return true;
  }

  std::string origin_;
  int max_depth_;
  std::vector<std::set<std::string>> names_;
};

}  // namespace

void check_json(std::string_view text, std::string_view origin, int max_depth) {
  const std::size_t nul = text.find('\0');  // the parser would take it for the end of the text
  BTC_REQUIRE(FormatError, nul == std::string_view::npos, origin, ": byte ", nul,
              ": not JSON: NUL byte");
  JsonChecker checker(origin, max_depth);
  nlohmann::json::sax_parse(text.begin(), text.end(), &checker);
}

}  // namespace btc
