#include "comm/agree.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <utility>

#include "common/error.hpp"

namespace btc {
namespace {

constexpr char kUserMark = 'U';
constexpr char kOtherMark = 'E';

/// Empty if `body` returned; else a mark and the reason.
std::string outcome_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const UserError& error) {
    return kUserMark + std::string(error.what());
  } catch (const StageFailed& error) {
    return (error.user_error() ? kUserMark : kOtherMark) + std::string(error.what());
  } catch (const std::exception& error) {
    return kOtherMark + std::string(error.what());
  } catch (...) {
    return kOtherMark + std::string("an exception of unknown type");
  }
  return {};
}

/// One outcome and the ranks that share it, e.g. after an `agree` inside.
struct SharedOutcome {
  std::string outcome;
  std::string ranks;
  bool several = false;
};

std::vector<SharedOutcome> group_failures(const std::vector<std::string>& outcomes) {
  std::vector<SharedOutcome> groups;
  for (std::size_t rank = 0; rank < outcomes.size(); ++rank) {
    if (outcomes[rank].empty()) {
      continue;
    }
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const SharedOutcome& group) {
      return group.outcome == outcomes[rank];
    });
    if (same == groups.end()) {
      groups.push_back({outcomes[rank], std::to_string(rank)});
    } else {
      same->ranks += ", " + std::to_string(rank);
      same->several = true;
    }
  }
  return groups;
}

/// Fields end with NUL, which no text of ours holds.
std::string pack_failures(const std::vector<UnitFailure>& failures) {
  std::string text;
  for (const UnitFailure& failure : failures) {
    text += failure.user_error ? kUserMark : kOtherMark;
    text += failure.unit + '\0' + failure.reason + '\0';
  }
  return text;
}

std::vector<UnitFailure> unpack_failures(const std::string& text) {
  std::vector<UnitFailure> failures;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t unit_end = text.find('\0', at);
    const std::size_t reason_end = text.find('\0', unit_end + 1);
    failures.push_back({text.substr(at + 1, unit_end - at - 1),
                        text.substr(unit_end + 1, reason_end - unit_end - 1),
                        text[at] == kUserMark});
    at = reason_end + 1;
  }
  return failures;
}

}  // namespace

void agree(const Communicator& comm, std::string_view what, const std::function<void()>& body) {
  const auto groups = group_failures(comm.all_gather(outcome_of(body)));
  if (groups.empty()) {
    return;
  }
  std::string text(what);
  text += " failed";
  const char* separator = " on ";
  bool user_error = true;
  for (const SharedOutcome& group : groups) {
    text += concat(separator, group.several ? "ranks " : "rank ", group.ranks, ": ",
                   group.outcome.substr(1));
    separator = "; ";
    user_error = user_error && group.outcome.front() == kUserMark;
  }
  throw StageFailed(text, user_error);
}

void agree_on_failures(const Communicator& comm, std::string_view stage,
                       const std::vector<UnitFailure>& failures) {
  const auto texts = comm.all_gather(pack_failures(failures));
  std::string list;
  std::size_t count = 0;
  bool user_error = true;
  for (std::size_t rank = 0; rank < texts.size(); ++rank) {
    for (const UnitFailure& failure : unpack_failures(texts[rank])) {
      list += concat("\n  ", failure.unit, " (rank ", rank, "): ", failure.reason);
      user_error = user_error && failure.user_error;
      ++count;
    }
  }
  if (count > 0) {
    throw StageFailed(concat(stage, ": ", count, count == 1 ? " unit" : " units", " failed:", list),
                      user_error);
  }
}

}  // namespace btc
