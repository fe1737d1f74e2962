#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "proxy/classify/client_key.hpp"

namespace spillway::relay {

/// How many connections each client has open, at all workers together. A client is an IPv4 address or the /64 of an
/// IPv6 one, because one host usually has all addresses of a /64. Safe from any thread.
class ClientConnections {
 public:
  explicit ClientConnections(classify::KeyHash hash = classify::KeyHash()) : hash_(hash) {}

  /// One connection in the count, until it is destroyed. Outlived by the table.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept : table_(std::exchange(other.table_, nullptr)), client_(other.client_) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(table_, other.table_);
      std::swap(client_, other.client_);
      return *this;
    }
    ~Place() {
      if (table_) table_->leave(client_);
    }
    explicit operator bool() const { return table_ != nullptr; }

   private:
    friend class ClientConnections;
    Place(ClientConnections& table, std::uint64_t client) : table_(&table), client_(client) {}
    ClientConnections* table_ = nullptr;
    std::uint64_t client_ = 0;
  };

  /// A place for one more connection of `address`, unless it has `limit` already.
  Place enter(std::string_view address, int limit);

  /// Clients that have a connection.
  std::size_t clients() const;

 private:
  void leave(std::uint64_t client);

  classify::KeyHash hash_;  ///< seeded: nobody can choose addresses that fall on one another
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, int> open_;
};

}  // namespace spillway::relay
