#pragma once

#include <map>
#include <mutex>
#include <string>

#include "api/db/connection.hpp"
#include "api/db/resolver.hpp"

namespace api::db {

/// Finds a server among the hosts of the URL and their addresses: one after the other, in their order, each with
/// `connect_timeout` of its own, the look-up of its name included. As with psql, a host that is not of the wanted kind
/// (`target_session_attrs`) is passed over, and one that does not know the user, the password or the database ends it.
/// Thread-safe.
class Connector {
 public:
  explicit Connector(const ConnectOptions& options) : options_(options) {}

  /// False: `error` tells of all that were tried. On the connection's thread, through its executor.
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
