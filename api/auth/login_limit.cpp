#include "api/auth/login_limit.hpp"

#include <iterator>
#include <utility>

namespace api::auth {

Duration LoginLimit::refused_for(const Login& login, Time now) {
  if (max_failures_ == 0) return Duration::zero();
  const std::string pair = pair_key(login);
  if (count(pair, now) >= max_failures_) return refuse(pair, now);
  // A user who has logged in from this network before is not limited by the failures of others there.
  if (count(login.network, now) < max_failures_ * kPerNetworkFactor) return Duration::zero();
  return successes_.contains(pair, now) ? Duration::zero() : refuse(login.network, now);
}

void LoginLimit::failed(const Login& login, Time now) {
  if (max_failures_ == 0) return;
  add(login.network, now);
  add(pair_key(login), now);
}

void LoginLimit::succeeded(const Login& login, Time now) {
  successes_.add(pair_key(login), now);
  successes_.add(login.network, now);
}

bool LoginLimit::familiar(const Login& login, Time now) {
  if (successes_.contains(pair_key(login), now)) return true;
  return successes_.contains(login.network, now) && (max_failures_ == 0 || count(login.network, now) < max_failures_);
}

/// A network contains no space, so this key never equals the key of a network alone.
std::string LoginLimit::pair_key(const Login& login) {
  return login.network + ' ' + login.user;
}

int LoginLimit::count(const std::string& key, Time now) const {
  const auto found = failures_.find(key);
  return found == failures_.end() || now - found->second->since >= window_ ? 0 : found->second->count;
}

/// Whoever goes on asking while refused is not forgotten.
Duration LoginLimit::refuse(const std::string& key, Time now) {
  const Order::iterator failures = failures_.at(key);
  order_.splice(order_.end(), order_, failures);
  return failures->since + window_ - now;
}

void LoginLimit::add(std::string key, Time now) {
  if (const auto found = failures_.find(key); found != failures_.end()) {
    order_.splice(order_.end(), order_, found->second);
  } else {
    if (failures_.size() >= kMaxTracked) {
      failures_.erase(order_.front().key);
      order_.pop_front();
    }
    order_.push_back({.key = std::move(key), .since = now});
    failures_.emplace(order_.back().key, std::prev(order_.end()));
  }
  Failures& failures = order_.back();
  if (now - failures.since >= window_) {
    failures.count = 0;
    failures.since = now;
  }
  ++failures.count;
}

}  // namespace api::auth
