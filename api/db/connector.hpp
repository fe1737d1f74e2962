#pragma once

#include <map>
#include <mutex>
#include <string>

#include "api/db/connection.hpp"
#include "api/db/resolver.hpp"

namespace api::db {

/// Connects to the first usable server among the hosts of the URL and their addresses. It tries them in their order,
/// each with its own `connect_timeout`, which includes the look-up of the name. As with psql, a host that is not of the
/// wanted kind (`target_session_attrs`) is skipped, and a host that refuses the user, the password or the database ends
/// the attempt. Thread-safe.
class Connector {
 public:
  explicit Connector(const ConnectOptions& options) : options_(options) {}

  /// On the connection's thread, through its executor. False: `error` lists the failure of each host.
  net::Task<bool> connect(Connection& connection, net::Executor executor, ConnectError& error);

 private:
  net::Task<bool> try_all(Connection& connection, net::Executor executor, TargetSession target, ConnectError& error);
  void avoid(const std::string& place);
  void forgive(const std::string& place);
  bool avoided(const std::string& place);

  const ConnectOptions& options_;
  Resolver resolver_;
  std::mutex mutex_;
  std::map<std::string, Time> avoided_;  // guarded by mutex_; until when
};

}  // namespace api::db
