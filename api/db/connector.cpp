#include "api/db/connector.hpp"

#include <deque>
#include <optional>

namespace api::db {

namespace {

/// How long an address that has not answered is tried after the others. Otherwise every connection would wait for it.
constexpr Duration kAvoidedFor = std::chrono::seconds(30);

struct Candidate {
  const Host* host;
  std::string address;           ///< empty: the name must be looked up, or the host has none
  std::optional<Time> deadline;  ///< set when the look-up has begun
  bool unresolved() const { return host->is_name && address.empty(); }
  std::string place() const { return (address.empty() ? host->name : address) + ' ' + host->port; }
};

void append(ConnectError& error, const std::string& message) {
  if (!error.message.empty()) error.message += "; ";
  error.message += message;
}

}  // namespace

net::Task<bool> Connector::connect(Connection& connection, net::Executor executor, ConnectError& error) {
  bool open = false;
  if (options_.target == TargetSession::prefer_standby) {
    open = co_await try_all(connection, executor, TargetSession::standby, error);
    if (!open && !error.permanent) open = co_await try_all(connection, executor, TargetSession::any, error);
  } else {
    open = co_await try_all(connection, executor, options_.target, error);
  }
  co_return open;
}

net::Task<bool> Connector::try_all(Connection& connection, net::Executor executor, TargetSession target,
                                   ConnectError& error) {
  error = {};
  std::deque<Candidate> candidates, last;
  for (const Host& host : options_.hosts) candidates.push_back({&host, host.address, std::nullopt});
  while (!candidates.empty() || !last.empty()) {
    std::deque<Candidate>& from = candidates.empty() ? last : candidates;
    const bool others = !candidates.empty();
    const Candidate candidate = from.front();
    from.pop_front();
    const std::string place = candidate.place();
    if (others && avoided(place)) {
      last.push_back(candidate);
      continue;
    }
    const Time deadline = candidate.deadline ? *candidate.deadline : Clock::now() + options_.timeout;
    if (candidate.unresolved()) {
      const Resolver::Found found = co_await resolver_.resolve(candidate.host->name, executor, deadline);
      if (found.late) avoid(place);
      if (!found.error.empty()) append(error, "cannot look up " + candidate.host->name + ": " + found.error);
      for (auto each = found.addresses.rbegin(); each != found.addresses.rend(); ++each) {
        candidates.push_front({candidate.host, *each, std::nullopt});
      }
      if (!found.addresses.empty()) candidates.front().deadline = deadline;
      continue;
    }
    const Connection::Attempt attempt{*candidate.host, candidate.address, target, deadline};
    const bool open = co_await connection.connect(options_, attempt);
    if (open) {
      forgive(place);
      co_return true;
    }
    const ConnectError failure = connection.connect_error();
    if (failure.late) avoid(place);
    append(error, failure.message);
    if (failure.permanent) {
      error.permanent = true;
      co_return false;
    }
  }
  co_return false;
}

void Connector::avoid(const std::string& place) {
  std::lock_guard lock(mutex_);
  const Time now = Clock::now();
  std::erase_if(avoided_, [now](const auto& each) { return each.second <= now; });
  avoided_[place] = now + kAvoidedFor;
}

void Connector::forgive(const std::string& place) {
  std::lock_guard lock(mutex_);
  avoided_.erase(place);
}

bool Connector::avoided(const std::string& place) {
  std::lock_guard lock(mutex_);
  const auto it = avoided_.find(place);
  return it != avoided_.end() && Clock::now() < it->second;
}

}  // namespace api::db
