#pragma once
/// The message of an expected exception.

#include <exception>
#include <functional>
#include <string>

#include "common/error.hpp"

namespace btc::test {

/// What `call` throws as a `Type`; a text that says so if it throws something else or nothing.
template <typename Type>
std::string thrown_by(const std::function<void()>& call) {
  try {
    call();
  } catch (const Type& error) {
    return error.what();
  } catch (const std::exception& error) {
    return concat("an exception of another type: ", error.what());
  }
  return "no exception";
}

}  // namespace btc::test
