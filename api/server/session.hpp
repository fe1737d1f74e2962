#pragma once

#include <atomic>
#include <memory>
#include <string>

#include <boost/asio.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "api/db/interrupt.hpp"
#include "api/endpoints/handlers.hpp"
#include "api/endpoints/http.hpp"
#include "api/server/config.hpp"
#include "api/server/request.hpp"
#include "proxy/net/clock.hpp"
#include "proxy/net/io.hpp"
#include "proxy/text/intrusive_list.hpp"

namespace api {

/// Bounds that hold across all workers, and switches that a reload or a drain flips. Thread-safe.
struct Shared {
  std::atomic<int> connections{0};
  std::atomic<int> in_flight{0};
  std::atomic<AccessLog> access{AccessLog::errors};
  std::atomic<bool> draining{false};
};

using Socket = net::asio::basic_stream_socket<net::asio::generic::stream_protocol, net::Executor>;

/// One client connection: reads requests one after the other, has them handled, writes the responses. Lives on its
/// worker's thread.
class Session : public text::Linked<Session> {
 public:
  struct Context {
    const ApiConfig& config;
    Shared& shared;
    Services& services;
    Handlers& handlers;
    int home;  ///< index of the worker
  };

  Session(Context context, Socket socket);

  /// Until the connection ends. The socket is closed then.
  net::Task<> run();
  /// Looks after the clocks, and whether the client is still there. To be called a few times a second.
  void sweep(Time now);
  /// The end is near: an idle connection is closed now, a busy one after its response.
  void drain();

 private:
  enum class Phase : std::uint8_t { idle, receiving, handling, writing, lingering };

  net::Task<int> read_request(Parser& parser);
  net::Task<bool> continue_body(Parser& parser);
  net::Task<bool> serve(Parser& parser);
  net::Task<> handle(Request& request);
  net::Task<bool> write(bool keep_alive, bool with_body);
  net::Task<> reject(int status);
  void write_head(bool keep_alive);
  void log(const Parser::value_type& message, const Request& request) const;
  void enter(Phase phase);
  void close();

  const Context context_;
  Socket socket_;
  const std::string peer_;
  const Sender sender_;
  Phase phase_ = Phase::idle;
  Time since_;  ///< beginning of the phase
  Time request_began_{};
  Interrupt interrupt_;
  Time interrupted_at_{};
  bool client_gone_ = false;
  boost::beast::flat_buffer buffer_;
  bool continue_sent_ = false;
  std::string head_;
  std::string made_up_id_;
  Response response_;
};

}  // namespace api
