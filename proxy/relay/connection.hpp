#pragma once

#include <memory>
#include <string>
#include <utility>

#include "proxy/net/hooked_list.hpp"
#include "proxy/net/stream.hpp"
#include "proxy/net/timer_wheel.hpp"
#include "proxy/relay/failure.hpp"
#include "proxy/relay/http1_stream.hpp"
#include "proxy/relay/idle_connection.hpp"

namespace spillway::relay {

class Exchange;
class Http2Connection;
class Worker;

/// Places a connection in one of the lists of its worker's table.
using ConnectionHook = net::ListHook<class ConnectionList>;

/// A client's connection from the first byte of a request until it closes or is idle. Its life is the coroutine
/// `serve`: wait for a request, read its head, have an exchange carry it out, and again.
/// Its own deadline is armed while no exchange runs. One loop's.
class Connection final : public net::Deadline, public ConnectionHook {
 public:
  using TableHook = ConnectionHook;

  /// Serves one connection until either side ends it, or it is idle.
  static net::Task<> serve(Worker& worker, Client client);

  Connection(Worker& worker, Client client);
  ~Connection();
  Connection(const Connection&) = delete;

  // For the table.

  void leave_list() { ConnectionHook::unlink(); }
  bool has_unread() { return stream_.transport().has_unread(); }
  /// Ends it between two requests: the worker drains. Not for HTTP/2.
  void end();
  /// The worker drains: no further requests are wanted.
  void drain();
  /// The drain is over: ends tunnels, in order, cuts event streams, and refuses requests without a response.
  void stop_exchanges();
  /// Closes it between two requests, even if one arrives meanwhile.
  void close_idle();
  /// Gives the buffer of a recently used connection back early.
  void release_buffer();
  /// Ends the wait for the rest of a head with 408: others need the memory.
  void evict();
  /// Cuts it, whatever it does.
  void abort();
  /// Memory that its unfinished head takes; 0 if there is none.
  std::size_t head_memory() const { return head_memory_; }
  /// Returns the value before.
  std::size_t set_head_memory(std::size_t bytes) { return std::exchange(head_memory_, bytes); }

 private:
  using End = Http1Stream::End;

  /// What the client speaks, as far as it is known.
  enum class Protocol : std::uint8_t { http1, http2, either };

  /// What the connection does after a wait or an exchange.
  enum class Next : std::uint8_t { request, idle, close };

  static Protocol protocol_of(const Client& client);
  bool begin_wait();
  Next end_wait(bool waited);
  net::Task<> find_protocol();
  net::Task<> serve_http2();
  bool begin_exchange(Failure& failure);
  bool scan_head(Failure& failure);
  Failure parse_head();
  net::Task<Failure> read_head();
  net::Task<Failure> read_rest_of_head();
  net::Task<Next> leave_exchange();
  net::Task<bool> drain_body();
  net::Task<> linger();

  void arm(Time from, Duration timeout);
  void on_deadline() override;

  Worker& worker_;
  Protocol protocol_;
  net::Stream stream_;
  std::string peer_;
  std::unique_ptr<const std::string> balancer_;
  ConnectionCount counted_;
  Http1Stream http1_;
  std::unique_ptr<Http2Connection> http2_;
  std::unique_ptr<Exchange> exchange_;  ///< kept between requests, for a moment
  std::size_t head_memory_ = 0;
  bool timed_out_ = false;
  bool ending_ = false;   ///< told to end
  bool closing_ = false;  ///< told to close, even if a request is on its way
  bool evicted_ = false;
  bool gave_way_ = false;  ///< has released its buffer for another connection
};

}  // namespace spillway::relay
