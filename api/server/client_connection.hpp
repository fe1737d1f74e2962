#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio.hpp>

#include "api/config/config.hpp"
#include "api/db/interrupt.hpp"
#include "api/endpoints/endpoints.hpp"
#include "api/endpoints/http.hpp"
#include "api/server/request.hpp"
#include "api/server/request_reader.hpp"
#include "api/server/request_spans.hpp"
#include "api/server/route.hpp"
#include "proxy/net/clock.hpp"
#include "proxy/net/edge_socket.hpp"
#include "proxy/net/io.hpp"
#include "proxy/net/listener.hpp"
#include "proxy/text/intrusive_list.hpp"
#include "proxy/tracing/queue.hpp"

namespace api {

/// Counts one up when it is made, and one down when it is destroyed. Movable.
class Counted {
 public:
  explicit Counted(std::atomic<int>& number) : number_(&number), before_(number.fetch_add(1)) {}
  Counted(Counted&& other) noexcept : number_(std::exchange(other.number_, nullptr)), before_(other.before_) {}
  Counted& operator=(Counted&&) = delete;
  ~Counted() {
    if (number_) number_->fetch_sub(1);
  }

  /// The count before this one was added.
  int before() const { return before_; }

 private:
  std::atomic<int>* number_;
  int before_;
};

/// Detail of the 503 for a connection beyond `limits.connections`.
inline constexpr std::string_view kTooManyConnections = "Too many connections, please retry";

/// Counts and switches of all workers together. Thread-safe.
struct Shared {
  int max_connections = 0;  ///< `limits.connections`, or fewer if descriptors are scarce; set before the workers run
  std::atomic<int> connections{0};
  std::atomic<int> idle{0};              ///< connections of these that wait for another request
  std::atomic<int> evictions_wanted{0};  ///< idle connections that any worker shall close
  std::atomic<int> in_flight{0};
  std::atomic<AccessLog> access{AccessLog::errors};
  tracing::Queue* spans = nullptr;      ///< null: no spans are recorded; set before the workers run
  std::atomic<double> sample_ratio{0};  ///< of the traces begun here
  std::atomic<bool> draining{false};
};

/// One client connection: reads requests one after the other, calls their endpoints, and writes the responses. Only on
/// its worker's thread.
class ClientConnection : public text::Linked<ClientConnection> {
 public:
  struct Context {
    const ApiConfig& config;
    Shared& shared;
    endpoints::Context& endpoints;
    int home;                   ///< index of the worker
    tracing::IdGenerator& ids;  ///< of the worker
    std::span<const Route> routes;
    text::List<ClientConnection>& connections;  ///< of the worker; holds this one from before `run` to its end
  };

  /// `surplus`: beyond `limits.connections`. Only monitoring requests are served on it.
  ClientConnection(Context context, net::Accepted accepted, bool surplus);

  /// Runs until the connection ends, and closes the socket.
  net::Task<> run();
  /// Applies the timeouts, and interrupts a request whose client has gone. Call it a few times a second.
  void sweep(Time now);
  /// Closes an idle connection now, and a busy one after its response.
  void drain();

  // Candidates for eviction.
  /// It has served a request, waits for another one, and no byte of that has arrived.
  bool is_idle();
  /// Its client sends its request, or reads its response, more slowly than clients commonly do.
  bool is_slow(Time now) const;
  /// It is surplus, and its request has not been read yet.
  bool is_evictable_surplus() const;
  void close();

 private:
  enum class Phase : std::uint8_t { idle, receiving, handling, writing, lingering, closing };

  net::Task<int> read_request();
  std::size_t read_now(boost::system::error_code& error);
  net::Task<bool> continue_body();
  net::Task<bool> serve();
  net::Task<> handle(Request& request);
  net::Task<bool> write(bool keep_alive, bool with_body);
  void write_now(std::span<net::asio::const_buffer> buffers, boost::system::error_code& error);
  net::Task<> reject(int status);
  void validate();
  void begin_trace(Request& request, bool monitoring);
  void leave_spans(std::string_view client, std::string_view path);
  /// Counts and logs the request. `sent_body`: the response has gone out with its body.
  void account(std::string_view client, std::string_view path, bool sent_body);
  bool client_has_gone();
  bool input_has_ended();
  void enter(Phase phase);

  const Context context_;
  net::EdgeSocket socket_;
  const std::string peer_;
  const Sender sender_;
  Phase phase_ = Phase::idle;
  Time since_;  ///< the beginning of the phase
  std::optional<Counted> idle_;
  bool surplus_;
  bool served_ = false;   ///< at least one request
  bool emptied_ = true;   ///< the last read has taken all there was, except perhaps the end
  bool overdue_ = false;  ///< its request has not come within `timeouts.request`
  bool looked_ = false;   ///< in this phase, for the end of the input
  Endpoint endpoint_ = Endpoint::other;
  const Route* route_ = nullptr;  ///< null: no route has the path
  Trace trace_;
  db::QueryTries tries_;
  int in_flight_ = 0;  ///< requests when this one was admitted or refused, with it
  std::string_view request_id_;
  Time request_began_{};
  Interrupt interrupt_;
  Time interrupted_at_{};
  bool client_gone_ = false;
  bool probed_ = false;  ///< a 100 has been written to find out whether the client has gone
  RequestReader reader_;
  bool continue_sent_ = false;
  std::string head_;
  std::string made_up_id_;
  Response response_;
};

}  // namespace api
