#include "api/auth/login_limit.hpp"

namespace api::auth {

Duration LoginLimit::refused_for(const Login& login, Time now) {
  if (max_failures_ == 0) return Duration::zero();
  const std::string pair = pair_key(login);
  if (count(pair, now) >= max_failures_) return left(pair, now);
  // Who has logged in from there before does not answer for his neighbours.
  if (count(login.network, now) < max_failures_ * kPerNetworkFactor) return Duration::zero();
  return successes_.contains(pair, now) ? Duration::zero() : left(login.network, now);
}

void LoginLimit::failed(const Login& login, Time now) {
  if (max_failures_ == 0) return;
  make_room(now);
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

/// A network holds no space, so the two kinds of key never meet.
std::string LoginLimit::pair_key(const Login& login) {
  return login.network + ' ' + login.user;
}

int LoginLimit::count(const std::string& key, Time now) const {
  const auto it = failures_.find(key);
  return it == failures_.end() || now - it->second.since >= window_ ? 0 : it->second.count;
}

void LoginLimit::add(std::string key, Time now) {
  Failures& failures = failures_.try_emplace(std::move(key), Failures{0, now}).first->second;
  if (now - failures.since >= window_) failures = {0, now};
  ++failures.count;
}

void LoginLimit::make_room(Time now) {
  if (failures_.size() + 2 <= kMaxTracked) return;
  std::erase_if(failures_, [&](const auto& item) { return now - item.second.since >= window_; });
  if (failures_.size() + 2 > kMaxTracked) failures_.clear();
}

}  // namespace api::auth
