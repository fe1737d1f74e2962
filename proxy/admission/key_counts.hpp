#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace spillway::admission {

/// How many requests each client has in flight or waiting. Exact, for every client that has any.
///
/// A hash table with linear probing and removal without tombstones (Knuth, TAOCP 3, 6.4, algorithm R), kept at most
/// half full: its memory depends on the requests that exist at one time, not on the number of clients over time.
/// Sized once. It grows only if `mode: off` or `shadow` admits more requests than that, and up to `kMostKeys`.
///
/// A key is a hash of the client's address or header with a secret seed, so that clients cannot choose keys that
/// collide. 0 means no key and is not counted.
class KeyCounts {
 public:
  static constexpr std::size_t kMostKeys = std::size_t{1} << 18;  ///< at a time; 16 bytes each, twice: 8 MiB

  explicit KeyCounts(std::size_t keys) { reserve(keys); }
  /// Room for so many keys at a time.
  void reserve(std::size_t keys);

  int count(std::uint64_t key) const;
  /// False, and nothing is to be removed later, if there are `kMostKeys` others, or the key is 0.
  bool add(std::uint64_t key);
  void remove(std::uint64_t key);
  std::size_t keys() const { return keys_; }

 private:
  struct Slot {
    std::uint64_t key = 0;  // 0: free
    int count = 0;
  };
  std::size_t home(std::uint64_t key) const { return key & (slots_.size() - 1); }
  std::size_t next(std::size_t slot) const { return (slot + 1) & (slots_.size() - 1); }
  std::size_t find(std::uint64_t key) const;  // the key's slot, or the free one where it would go

  std::vector<Slot> slots_;  // a power of two
  std::size_t keys_ = 0;
};

}  // namespace spillway::admission
