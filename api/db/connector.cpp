#include "api/db/connector.hpp"

#include <deque>
#include <optional>

namespace api::db {

namespace {

/// An address that was silent is tried after the others for so long, or each connection would cost its timeout anew.
constexpr Duration kAvoidedFor = std::chrono::seconds(30);

struct Target {
  const Endpoint* endpoint;
  std::string address;           ///< empty: to be looked up, or none needed
  std::optional<Time> deadline;  ///< begun with the look-up
  bool unresolved() const { return endpoint->is_name && address.empty(); }
  std::string place() const { return (address.empty() ? endpoint->host : address) + ' ' + endpoint->port; }
};

void append(ConnectError& error, const std::string& message) {
  if (!error.message.empty()) error.message += "; ";
  error.message += message;
}

}  // namespace

net::Task<bool> Connector::connect(Connection& connection, net::Executor executor, ConnectError& error) {
  bool open = false;
  if (options_.wanted == Wanted::prefer_standby) {
    open = co_await try_all(connection, executor, Wanted::standby, error);
    if (!open && !error.permanent) open = co_await try_all(connection, executor, Wanted::any, error);
  } else {
    open = co_await try_all(connection, executor, options_.wanted, error);
  }
  co_return open;
}

net::Task<bool> Connector::try_all(Connection& connection, net::Executor executor, Wanted wanted, ConnectError& error) {
  error = {};
  std::deque<Target> targets, last;
  for (const Endpoint& endpoint : options_.endpoints) targets.push_back({&endpoint, endpoint.address, std::nullopt});
  while (!targets.empty() || !last.empty()) {
    std::deque<Target>& from = targets.empty() ? last : targets;
    const bool others = !targets.empty();
    const Target target = from.front();
    from.pop_front();
    const std::string place = target.place();
    if (others && avoided(place)) {
      last.push_back(target);
      continue;
    }
    const Time deadline = target.deadline ? *target.deadline : Clock::now() + options_.timeout;
    if (target.unresolved()) {
      const Resolver::Found found = co_await resolver_.resolve(target.endpoint->host, executor, deadline);
      if (found.late) avoid(place);
      if (!found.error.empty()) append(error, "cannot look up " + target.endpoint->host + ": " + found.error);
      for (auto each = found.addresses.rbegin(); each != found.addresses.rend(); ++each) {
        targets.push_front({target.endpoint, *each, std::nullopt});
      }
      if (!found.addresses.empty()) targets.front().deadline = deadline;
      continue;
    }
    const Connection::Attempt attempt{*target.endpoint, target.address, wanted, deadline};
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
