#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// What each client uses: how many requests it has in flight or waiting, how many slots it has held on average over
/// about the last second, and how often it got one. The count bounds what a client may have at a time. The average
/// makes clients equal whose requests take unequally long: slot time counts, not requests. The average over the rate of
/// starts is how long a slot is held (Little, 1961).
///
/// The count is exact for every client that has a request. A client without one is remembered as long as its average
/// matters, unless others need its place.
///
/// A hash table with linear probing and removal without tombstones (Knuth, TAOCP 3, 6.4, algorithm R), kept at most
/// half full: its memory depends on the requests that exist at one time, not on the number of clients over time. Sized
/// once. It grows only if more clients than that have requests at a time (`mode: off` or `shadow`), up to `kMostKeys`.
///
/// A key is a hash of the client's address or header with a secret seed, so that clients cannot choose keys that
/// collide. 0 means no key and is not counted.
class ClientUsage {
 public:
  static constexpr std::size_t kMostKeys = std::size_t{1} << 18;  ///< at a time; 32 bytes each, twice: 16 MiB

  explicit ClientUsage(std::size_t keys) { reserve(keys); }
  /// Room for so many keys at a time.
  void reserve(std::size_t keys);

  /// A request arrives. False if the key is 0 or `kMostKeys` others are counted: then make no other call for it.
  bool add(std::uint64_t key, Time now);
  /// It gets a slot …
  void start(std::uint64_t key, Time now) { change_slots(key, +1, now); }
  /// … and gives it back.
  void finish(std::uint64_t key, Time now) { change_slots(key, -1, now); }
  /// It is gone.
  void remove(std::uint64_t key);

  int requests(std::uint64_t key) const;
  int in_flight(std::uint64_t key) const;
  /// Slots held on average; 0 without a key.
  double slots(std::uint64_t key, Time now) const;
  /// The same of all clients together.
  double slots(Time now) const { return all_.slots(now); }
  /// The client holds a slot for much longer than the others do, each time. True if the others
  /// have had hardly a slot lately.
  bool holds_longer(std::uint64_t key, Time now) const;
  /// Clients with a request.
  std::size_t keys() const { return keys_; }

 private:
  struct Entry {
    std::uint64_t key = 0;  // 0: free
    int requests = 0, in_flight = 0;
    float average = 0;  // of the slots held, at `updated`
    float starts = 0;   // per second, then
    Time updated{};

    double slots(Time now) const;
    void change_slots(int by, Time now);
  };
  std::size_t home(std::uint64_t key) const { return key & (entries_.size() - 1); }
  std::size_t next(std::size_t at) const { return (at + 1) & (entries_.size() - 1); }
  std::size_t find(std::uint64_t key) const;  // the key's entry, or the free one where it would go
  bool make_room(Time now);
  void forget(double below, Time now);
  void erase(std::size_t hole);
  void change_slots(std::uint64_t key, int by, Time now);

  std::vector<Entry> entries_;  // a power of two
  Entry all_;
  std::size_t used_ = 0;  // entries that are not free
  std::size_t keys_ = 0;
};

}  // namespace spillway::admission
