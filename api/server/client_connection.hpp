#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <boost/asio.hpp>

#include "api/config/config.hpp"
#include "api/db/interrupt.hpp"
#include "api/endpoints/endpoints.hpp"
#include "api/endpoints/http.hpp"
#include "api/server/request.hpp"
#include "api/server/request_reader.hpp"
#include "proxy/net/clock.hpp"
#include "proxy/net/io.hpp"
#include "proxy/net/listener.hpp"
#include "proxy/text/intrusive_list.hpp"

namespace api {

/// One of a number that is bounded, from its making to its end however that comes. Movable.
class Counted {
 public:
  explicit Counted(std::atomic<int>& number) : number_(&number), before_(number.fetch_add(1)) {}
  Counted(Counted&& other) noexcept : number_(std::exchange(other.number_, nullptr)), before_(other.before_) {}
  Counted& operator=(Counted&&) = delete;
  ~Counted() {
    if (number_) number_->fetch_sub(1);
  }

  /// How many there were before this one.
  int before() const { return before_; }

 private:
  std::atomic<int>* number_;
  int before_;
};

/// Bounds that hold across all workers, and switches that a reload or a drain flips. Thread-safe.
struct Shared {
  int max_connections = 0;  ///< `limits.connections`, as far as there are descriptors; set before all begins
  std::atomic<int> connections{0};
  std::atomic<int> idle{0};              ///< of these, waiting for another request; `is_idle` may end them
  std::atomic<int> evictions_wanted{0};  ///< idle ones that other workers are to end
  std::atomic<int> in_flight{0};
  std::atomic<AccessLog> access{AccessLog::errors};
  std::atomic<bool> draining{false};
};

/// One client connection: reads requests one after the other, has them handled, writes the responses. Lives on its
/// worker's thread.
class ClientConnection : public text::Linked<ClientConnection> {
 public:
  struct Context {
    const ApiConfig& config;
    Shared& shared;
    endpoints::Context& endpoints;
    int home;                                   ///< index of the worker
    text::List<ClientConnection>& connections;  ///< of the worker; it stands in there from before `run` to its end
  };

  /// `surplus`: beyond `limits.connections`, only there for whoever watches.
  ClientConnection(Context context, net::Accepted accepted, bool surplus);

  /// Until the connection ends. The socket is closed then.
  net::Task<> run();
  /// Looks after the clocks, and whether the client is still there. To be called a few times a second.
  void sweep(Time now);
  /// The end is near: an idle connection is closed now, a busy one after its response.
  void drain();

  // Who may be closed to make room for another connection.
  /// It waits for another request, and none is on its way.
  bool is_idle();
  /// Its client has been about to send a request, or to take an answer, for longer than clients commonly are.
  bool is_slow(Time now) const;
  /// It is surplus, and its request is not there yet.
  bool is_evictable_surplus() const;
  void close();

 private:
  enum class Phase : std::uint8_t { idle, receiving, handling, writing, lingering, closing };

  net::Task<int> read_request();
  net::Task<bool> continue_body();
  net::Task<bool> serve();
  net::Task<> handle(Request& request);
  net::Task<bool> write(bool keep_alive, bool with_body);
  net::Task<> reject(int status);
  void write_head(bool keep_alive);
  void log(const Request& request) const;
  bool client_has_gone();
  void enter(Phase phase);

  const Context context_;
  net::Socket socket_;
  const std::string peer_;
  const Sender sender_;
  Phase phase_ = Phase::idle;
  Time since_;  ///< beginning of the phase
  std::optional<Counted> idle_;
  bool surplus_;
  bool served_ = false;  ///< a request, at least
  Time request_began_{};
  Interrupt interrupt_;
  Time interrupted_at_{};
  bool client_gone_ = false;
  bool probed_ = false;  ///< whether the client is still there, by a write
  RequestReader reader_;
  bool continue_sent_ = false;
  std::string head_;
  std::string made_up_id_;
  Response response_;
};

}  // namespace api
