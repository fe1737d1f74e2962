#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <libpq-fe.h>

#include "api/db/connect_options.hpp"
#include "api/db/interrupt.hpp"
#include "api/db/result.hpp"
#include "api/db/sqlstate.hpp"
#include "api/db/statement.hpp"
#include "proxy/net/edge_socket.hpp"
#include "proxy/net/io.hpp"

namespace api::db {

struct QueryResult {
  Result rows;
  QueryFailure failure = QueryFailure::none;
  std::string message;   ///< of the server, first line; for the log, not for clients
  std::string sqlstate;  ///< of the server
};

struct ConnectError {
  std::string message;     ///< one line
  bool late = false;       ///< no answer before the deadline
  bool permanent = false;  ///< the server has refused the user, the password or the database
};

/// How the connections of a pool tell each other that a server is silent. Called on a connection's own thread.
class Siblings {
 public:
  /// A query has had no answer for `ping_timeout`: pings the idle connections.
  virtual void ping_idle() = 0;
  /// When a connection was last opened after another one was found silent. A query that has had no answer since before
  /// will get none.
  virtual Time replaced_at() const = 0;

 protected:
  ~Siblings() = default;
};

/// One connection to PostgreSQL: libpq in non-blocking mode, waiting through Asio. One operation at a time, on one
/// thread at a time, which may change between operations (`move_to`).
class Connection {
 public:
  /// `siblings` must outlive it.
  Connection(net::Executor executor, Siblings& siblings);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  struct Attempt {
    const Host& host;
    const std::string& address;  ///< the address of its name; empty: the host has no name
    TargetSession target;        ///< not `prefer_standby`: the connector tries two kinds for that
    Time deadline;
  };
  /// May be called again until it has succeeded once. False: see `connect_error`. `options` must outlive the
  /// connection.
  net::Task<bool> connect(const ConnectOptions& options, const Attempt& attempt);
  ConnectError connect_error() const;

  /// Runs a statement in one round trip. A ping (`verify`) and, the first time, the preparation go with it. Statement
  /// and parameters must live until the end. If the server is silent for too long, the result is `broken`.
  net::Task<QueryResult> query(const Statement& statement, const Parameters& parameters, bool verify,
                               Interrupt& interrupt);
  /// False: no answer within `ping_timeout`, or the connection is not reusable.
  net::Task<bool> ping();

  /// In sync with the server and outside any transaction: another request may use it.
  bool reusable() const;
  bool broken() const { return broken_; }
  /// Broken because no answer came in time.
  bool silent() const { return silent_; }
  /// The server is not, or no longer, of the wanted kind: it may have become a standby.
  bool moved() const;
  /// Address and port of the server.
  std::string server() const;
  /// Uses this executor from now on. Not during an operation.
  void move_to(net::Executor executor);
  /// The socket, to poll it while the connection is idle.
  int socket() const { return PQsocket(connection_.get()); }
  int backend_pid() const { return PQbackendPID(connection_.get()); }

 private:
  struct Watch;
  class Busy;
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };

  bool send(const Statement& statement, const Parameters& parameters, bool verify);
  bool prepares(const Statement& statement) const { return options_->prepared_statements && !statement.planned_anew; }
  bool send_query(const Statement& statement, const Parameters& parameters);
  bool send_ping();
  net::Task<> exchange(QueryResult& result);
  net::Task<bool> flush();
  bool has_input() const;
  bool consume_input();
  void check_silence();
  bool take(PGresult* taken, QueryResult& result);
  void interrupt();
  void set_broken(QueryResult& result);

  net::Executor executor_;
  Siblings& siblings_;
  const ConnectOptions* options_ = nullptr;
  TargetSession target_ = TargetSession::any;
  std::string late_;  ///< the address that did not answer at the last attempt to connect
  std::unique_ptr<PGconn, Finish> connection_;
  std::optional<net::EdgeSocket> socket_;  ///< libpq's
  std::shared_ptr<Watch> watch_;           ///< of the operation that runs
  Time heard_{};                           ///< when bytes last arrived, or the operation began
  bool has_read_ = false;                  ///< something, since the operation began
  bool pinging_ = false;                   ///< its ping has not been answered
  std::uint64_t prepared_ = 0;             ///< bit 1 << Statement::id
  std::uint64_t preparing_ = 0;            ///< the bit of the statement that is being prepared
  bool pipeline_ = false;
  bool broken_ = false;
  bool stale_ = false;
  bool read_only_ = false;  ///< the server has refused to write
  bool interrupted_ = false;
  bool silent_ = false;
};

}  // namespace api::db
