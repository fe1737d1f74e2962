#pragma once

#include <atomic>
#include <cstddef>

#include "proxy/net/hooked_list.hpp"
#include "proxy/net/listener.hpp"
#include "proxy/relay/connection.hpp"
#include "proxy/relay/handshakes.hpp"
#include "proxy/relay/idle_connection.hpp"

namespace spillway::relay {

class Worker;

/// One worker's client connections, in a list for each state. Decides which connection is closed when places,
/// descriptors or memory run short, and which ones a drain ends. Used from its worker's thread only.
class ConnectionTable {
 public:
  /// How long a connection may keep its buffer while it waits for its next request: most come sooner.
  static constexpr Duration kKeepBuffer = std::chrono::seconds(1);

  explicit ConnectionTable(Worker& worker);
  ConnectionTable(const ConnectionTable&) = delete;

  /// Takes a new connection, or refuses it: too many are open, in all or of its client. `listen`: the entry that says
  /// whether it must come from a trusted proxy and begin with a PROXY header, and whether it may speak HTTP/2. `entry`:
  /// its index, by which the settings have what TLS needs.
  void accept(net::Accepted accepted, const config::Listen& listen, std::size_t entry);
  /// The worker's settings have changed.
  void configure() { handshakes_.configure(); }
  /// Logs that descriptors have run out, and closes idle connections. False: none is idle here.
  bool out_of_descriptors();

  /// No connection is left.
  bool empty() const { return open_ + idle_count_ + handshakes_.count() == 0; }
  void drain();
  /// Closes tunnels, in order, cuts event streams, and refuses requests without a response.
  void stop_exchanges();
  /// Cuts what is still open.
  void abort();

  // What a connection reports of itself.
  /// Its handshake is done.
  void secured(Client client);
  void opened() { ++open_; }
  void closed();
  void is_busy(Connection& connection);
  /// It waits for its next request and keeps its buffer meanwhile. Only a number of connections may; beyond it the
  /// oldest releases its buffer. The number follows the connections: one more for each that would have been in time,
  /// one less for each that is not (the idea of ARC's ghost lists).
  void is_recently_used(Connection& connection);
  void was_recently_used();
  /// A connection of HTTP/2 has no stream. It keeps what it has, and may be closed for others.
  void is_quiet(Connection& connection);
  void was_quiet();
  /// It waits for the rest of a head and takes `bytes` of memory in all. While all such connections take too much, the
  /// oldest is evicted.
  void reads_head(Connection& connection, std::size_t bytes);
  /// Its head is complete, or given up.
  void has_head(Connection& connection);
  /// Its answer has become a stream: a tunnel or an event stream, which ends when one of its peers closes it.
  void streams(Connection& connection);
  /// It goes on as an idle connection. `ending`: it has been told to end. `gave_way`: it has released its buffer for
  /// another connection, not because time was up.
  void is_idle(Client client, bool ending, bool gave_way);
  /// One that gave way has got a request within `kKeepBuffer`.
  void was_in_time();
  /// Its PROXY header has named the client. False: that has too many connections, and has been refused.
  bool is_introduced(IdleConnection& idle, Client& client);
  /// It will be closed because its PROXY header broke a `rule`; `status` as for a request.
  void lacks_proxy_header(const Client& client, int status, std::string_view rule);
  /// An idle connection has got a request, or ends here.
  void idle_ended(Client client, bool request_comes);

 private:
  using Connections = net::HookedList<Connection, Connection::TableHook>;
  using IdleConnections = net::HookedList<IdleConnection, IdleConnection::Hook>;

  void begin(Client client);
  IdleConnection& await_request(Client client, bool fresh);
  bool close_oldest_idle();
  bool ask_another_worker(Client& client);
  void publish_idle();
  bool enter(Client& client);
  void refuse(Client client);

  Worker& worker_;
  Connections busy_;
  Connections recently_used_;  ///< oldest first
  Connections heads_;          ///< waiting for the rest of a head; oldest first
  Connections streams_;
  Connections quiet_;     ///< of HTTP/2, without a stream; oldest first
  IdleConnections idle_;  ///< oldest first
  Handshakes handshakes_;
  std::size_t open_ = 0;        ///< connections that are not idle
  std::size_t idle_count_ = 0;  ///< idle ones, and those that wait for another worker's answer
  int recently_used_count_ = 0;
  int recently_used_max_;
  int quiet_count_ = 0;
  std::atomic<int> idle_here_{0};       ///< connections that can be closed; for the other workers
  std::atomic<int> close_requests_{0};  ///< by other workers, not yet done
};

}  // namespace spillway::relay
