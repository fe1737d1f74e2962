#pragma once

#include <memory>
#include <string>

#include "proxy/net/hooked_list.hpp"
#include "proxy/net/timer_wheel.hpp"
#include "proxy/net/transport.hpp"
#include "proxy/relay/client_connections.hpp"
#include "proxy/telemetry/counters.hpp"
#include "proxy/tls/server_context.hpp"

namespace spillway::relay {

class Worker;

/// One client connection in the counts, from accept to close.
class ConnectionCount {
 public:
  ConnectionCount(telemetry::Counter& open_here, std::atomic<int>& open_in_all);
  ConnectionCount(ConnectionCount&& other) noexcept;
  ConnectionCount& operator=(ConnectionCount&&) = delete;
  ~ConnectionCount();

  /// Where it counts for its client, if that is limited.
  ClientConnections::Place of_client;

 private:
  telemetry::Counter* open_here_;
  std::atomic<int>* open_in_all_;
};

/// A connected client: what outlives a request.
struct Client {
  net::Transport transport;
  std::string peer;  ///< address without port; empty for a unix socket
  ConnectionCount counted;
  /// What has come of the PROXY header, while that is awaited; else null.
  std::unique_ptr<std::string> proxy_header = {};
  /// Address of the balancer that has named `peer` in a PROXY header; null: nobody has.
  std::unique_ptr<const std::string> balancer = {};
  bool http2 = false;  ///< it may speak HTTP/2; over TLS: it has agreed to
  /// TLS that is still to be agreed on; null: none, or it has been.
  std::shared_ptr<const tls::ServerContext> handshake = {};
};

/// A connection without a request: a socket and a deadline, neither buffer nor coroutine. Becomes a `Connection` when
/// bytes come, behind the PROXY header if one is awaited. Destroys itself when its wait ends.
class IdleConnection final : public net::Deadline, public net::ListHook<class IdleList> {
 public:
  using Hook = net::ListHook<IdleList>;

  /// `fresh`: the client has not sent anything yet.
  IdleConnection(Worker& worker, Client client, bool fresh)
      : worker_(worker), client_(std::move(client)), fresh_(fresh) {}
  bool fresh() const { return fresh_; }
  /// It has released its buffer for another connection.
  void gave_way(Time now) { gave_way_ = now; }
  /// False: its PROXY header is still due.
  bool introduced() const { return client_.proxy_header == nullptr; }
  void wait();
  /// A request has arrived that the loop has not read yet, so the connection is not idle any more.
  bool has_unread() { return client_.transport.has_unread(); }
  /// Closes the connection, unless a request has arrived: that one is still answered.
  void end();
  /// Closes it in any case: another connection needs its place.
  void close();

 private:
  void on_deadline() override;
  void wait_ended(net::error_code error);
  bool read_proxy_header();
  void wait_for_record();

  Worker& worker_;
  Client client_;
  Time gave_way_{};  ///< never: it has not
  bool fresh_;
  bool closing_ = false;
  bool record_begun_ = false;
};

}  // namespace spillway::relay
