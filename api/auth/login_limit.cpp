#include "api/auth/login_limit.hpp"

namespace api::auth {

Duration LoginLimit::attempt(std::string_view user, std::string_view address, Time now) {
  if (max_failures_ == 0) return Duration::zero();
  make_room(now);
  Failures& all = at(std::string(address), now);
  if (all.count >= max_failures_ * kPerAddressFactor) return all.since + window_ - now;
  Failures& pair = at(pair_key(user, address), now);
  if (pair.count >= max_failures_) return pair.since + window_ - now;
  ++all.count;
  ++pair.count;
  return Duration::zero();
}

void LoginLimit::forgive(std::string_view user, std::string_view address) {
  for (const std::string& key : {pair_key(user, address), std::string(address)}) {
    auto it = failures_.find(key);
    if (it != failures_.end() && --it->second.count <= 0) failures_.erase(it);
  }
}

/// An address holds no space, so the two kinds of key never meet.
std::string LoginLimit::pair_key(std::string_view user, std::string_view address) {
  return std::string(address).append(" ").append(user);
}

LoginLimit::Failures& LoginLimit::at(std::string key, Time now) {
  Failures& failures = failures_.try_emplace(std::move(key), Failures{0, now}).first->second;
  if (now - failures.since >= window_) failures = {0, now};
  return failures;
}

void LoginLimit::make_room(Time now) {
  if (failures_.size() + 2 <= kMaxTracked) return;
  std::erase_if(failures_, [&](const auto& item) { return now - item.second.since >= window_; });
  if (failures_.size() + 2 > kMaxTracked) failures_.clear();
}

}  // namespace api::auth
