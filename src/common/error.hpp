#pragma once
/// Error types of the project, and the two macros that throw them.
///
/// A library never prints or aborts: it throws, and `app` decides about text and exit code.

#include <sstream>
#include <stdexcept>
#include <string>

namespace btc {

/// Base of every error this project throws on purpose.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The user can mend it: exit code 2, a job script never retries.
class UserError : public Error {
 public:
  using Error::Error;
};

/// A configuration key, value or combination that is not allowed.
class ConfigError : public UserError {
 public:
  using UserError::UserError;
};

/// An input (model, text, token file) that cannot be used.
class InputError : public UserError {
 public:
  using UserError::UserError;
};

/// A compute backend that this build or machine does not have.
class BackendUnavailable : public UserError {
 public:
  using UserError::UserError;
};

/// The operating system refused to read or write.
class IoError : public Error {
 public:
  using Error::Error;
};

/// A file is not what its header promises.
class FormatError : public Error {
 public:
  using Error::Error;
};

/// A call of the MPI library failed.
class MpiError : public Error {
 public:
  using Error::Error;
};

/// A call of a device's driver or library failed, or its memory is too small.
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// A value that is not finite, or a factorisation that failed at every damping.
class NumericError : public Error {
 public:
  using Error::Error;
};

/// Thrown by `agree` on every rank: names the failing ranks and their reasons.
class StageFailed : public Error {
 public:
  StageFailed(const std::string& text, bool user_error) : Error(text), user_error_(user_error) {}
  /// True when every cause is a `UserError`.
  [[nodiscard]] bool user_error() const noexcept { return user_error_; }

 private:
  bool user_error_;
};

/// All parts written one after the other with `operator<<`.
template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace btc

/// Throws `Type` with the text made of all further arguments.
#define BTC_THROW(Type, ...) throw Type(::btc::concat(__VA_ARGS__))

/// Throws `Type` unless `condition` holds. For data and users; `assert` is for our own bugs.
#define BTC_REQUIRE(Type, condition, ...) \
  do {                                    \
    if (!(condition)) {                   \
      BTC_THROW(Type, __VA_ARGS__);       \
    }                                     \
  } while (false)

/// Throws `Error` naming file and line: a promise between two of our own modules was broken.
#define BTC_CHECK(condition, ...)                               \
  BTC_REQUIRE(::btc::Error, condition, __FILE__, ":", __LINE__, \
              ": check '" #condition "': ", __VA_ARGS__)
