#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "proxy/net/clock.hpp"
#include "proxy/net/io.hpp"

namespace api::db {

/// Looks names up. getaddrinfo(3) may block for long and cannot be stopped, so it runs on a thread that nobody joins,
/// not even the end of the process. There is one look-up at a time for each name, and all callers share it.
/// Thread-safe.
class Resolver {
 public:
  struct Found {
    std::vector<std::string> addresses;  ///< in the system's order; empty: see `error`
    std::string error;
    bool late = false;  ///< no answer before the deadline; the look-up goes on
  };

  net::Task<Found> resolve(const std::string& name, net::Executor executor, Time deadline);

 private:
  struct Lookup;
  std::shared_ptr<Lookup> join(const std::string& name);

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Lookup>> lookups_;  ///< the last look-up of each name, running or done
};

}  // namespace api::db
