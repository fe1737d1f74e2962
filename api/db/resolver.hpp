#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "proxy/net/clock.hpp"
#include "proxy/net/io.hpp"

namespace api::db {

/// Looks names up. getaddrinfo blocks, for as long as the system's settings allow, and cannot be stopped: it runs on a
/// thread that nobody ever waits for, not even the end of the process. There is one at a time for each name; who asks
/// meanwhile shares it. Thread-safe.
class Resolver {
 public:
  struct Found {
    std::vector<std::string> addresses;  ///< in the system's order; empty: see `error`
    std::string error;
    bool late = false;  ///< no answer before the deadline; it is still being waited for
  };

  net::Task<Found> resolve(const std::string& name, net::Executor executor, Time deadline);

 private:
  struct Lookup;
  std::shared_ptr<Lookup> join(const std::string& name);

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Lookup>> lookups_;  ///< the last one for each name, under way or not
};

}  // namespace api::db
