#pragma once

#include <array>
#include <chrono>
#include <mutex>
#include <optional>
#include <vector>

namespace tls {

/// The keys that session tickets are encrypted with. A new one every `kRotation`, from this process's random numbers;
/// each still opens tickets for `kTicketLife` after that. Who steals the memory of the process opens no older session.
/// Nothing is written to disk or shared with other instances: after a restart clients shake hands anew. Any thread.
class TicketKeys {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr auto kRotation = std::chrono::hours(1);
  /// How long a ticket is good: long enough for a client that comes back, short enough for forward secrecy.
  static constexpr auto kTicketLife = std::chrono::hours(2);

  static constexpr std::size_t kNameSize = 16;
  struct Key {
    std::array<unsigned char, kNameSize> name;
    std::array<unsigned char, 32> cipher;  ///< AES-256
    std::array<unsigned char, 32> mac;     ///< HMAC-SHA-256
    Time made;
  };

  /// The key for a new ticket. Nothing if there are no random numbers.
  std::optional<Key> current(Time now);
  struct Found {
    Key key;
    bool current;  ///< false: a ticket that it opens is to be replaced
  };
  /// The key of this name, if a ticket made with it may still be good.
  std::optional<Found> find(const unsigned char* name, Time now);

 private:
  void rotate(Time now);

  std::mutex mutex_;
  std::vector<Key> keys_;  ///< newest first
};

}  // namespace tls
