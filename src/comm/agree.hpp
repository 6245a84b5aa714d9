#pragma once
/// The rule of agreement: local work inside a collective scope is caught on its rank, then all
/// ranks decide together. A rank that unwinds alone would enter a collective call that nobody
/// matches.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.hpp"

namespace btc {

/// Runs `body` on every rank, then compares outcomes. Collective.
/// @throws StageFailed on every rank if it threw on any; the text names `what`, each failing rank
/// and
///         its reason; user_error() is true if every reason was a UserError
void agree(const Communicator& comm, std::string_view what, const std::function<void()>& body);

/// A failed unit of work, kept until the end of its stage.
struct UnitFailure {
  std::string unit;  ///< `block 17`
  std::string reason;
  bool user_error = false;
};

/// Closes a stage: throws StageFailed on every rank if any rank has failures. Collective.
void agree_on_failures(const Communicator& comm, std::string_view stage,
                       const std::vector<UnitFailure>& failures);

}  // namespace btc
