#include "proxy/tls/ticket_keys.hpp"

#include <algorithm>

#include <openssl/crypto.h>
#include <openssl/rand.h>

namespace tls {

void TicketKeys::rotate(Time now) {
  while (!keys_.empty() && now - keys_.back().made >= kRotation + kTicketLife) {
    OPENSSL_cleanse(&keys_.back(), sizeof(Key));
    keys_.pop_back();
  }
  if (!keys_.empty() && now - keys_.front().made < kRotation) return;
  Key key{};
  key.made = now;
  const auto fill = [](auto& bytes) { return RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1; };
  if (fill(key.name) && fill(key.cipher) && fill(key.mac)) keys_.insert(keys_.begin(), key);
}

std::optional<TicketKeys::Key> TicketKeys::current(Time now) {
  const std::lock_guard lock(mutex_);
  rotate(now);
  if (keys_.empty()) return std::nullopt;
  return keys_.front();
}

std::optional<TicketKeys::Found> TicketKeys::find(const unsigned char* name, Time now) {
  const std::lock_guard lock(mutex_);
  rotate(now);
  for (const Key& key : keys_) {
    if (std::equal(key.name.begin(), key.name.end(), name)) return Found{key, &key == &keys_.front()};
  }
  return std::nullopt;
}

}  // namespace tls
