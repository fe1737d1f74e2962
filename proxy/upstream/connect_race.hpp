#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proxy/upstream/connection_pool.hpp"

namespace spillway::upstream {

/// Connects to several addresses at a time, and shakes hands over TLS; the first connection that stands wins (RFC 8305,
/// section 5). The caller says when the next attempt starts. On one worker's thread.
class ConnectRace {
 public:
  struct Failed {
    std::string name;  ///< of the address, for the log
    net::error_code error;
    std::string tls_fault;  ///< as `tls::Session::fault`
  };

  ConnectRace(ConnectionPool& pool, net::Executor executor);
  /// Closes the attempts under way. Each is given back to the pool soon after.
  ~ConnectRace();
  ConnectRace(const ConnectRace&) = delete;

  /// Connects a connection that is open.
  void start(ConnectionPool::Lease connection);
  /// Waits until an attempt has ended, or soon after `wake`; not at all if either has happened since the last wait.
  net::Task<> wait();
  void wake();
  /// The connection that has won; null if there is none yet.
  ConnectionPool::Lease take_winner();
  /// The attempts that have failed since the last call, in order.
  std::vector<Failed> take_failed();
  bool under_way() const;
  /// The addresses of the attempts under way.
  std::vector<std::string> silent() const;
  /// Ends the oldest attempt, which then fails. False: none is under way.
  bool give_up_oldest();

 private:
  struct State;
  static net::Task<> attempt(std::shared_ptr<State> state, ConnectionPool::Lease connection);
  std::shared_ptr<State> state_;  ///< shared with the attempts, which may end after the race
};

}  // namespace spillway::upstream
