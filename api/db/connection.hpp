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
#include "api/db/wait_until.hpp"
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
  bool permanent = false;  ///< the server was reached and does not know this user, password or database
};

/// What the connections of one pool tell each other about silence. Called on a connection's own thread.
class Siblings {
 public:
  /// A query has had no answer for as long as a ping may take: are the idle ones silent, too?
  virtual void ping_idle() = 0;
  /// When last one was found silent and a fresh one could be opened: who has waited since before, waits in vain.
  virtual Time replaced_at() const = 0;

 protected:
  ~Siblings() = default;
};

/// One connection to PostgreSQL: libpq in non-blocking mode, waiting through Asio. One operation at a time; used by
/// one thread at a time, which may change between operations (`move_to`).
class Connection {
 public:
  /// `siblings` must outlive it.
  Connection(net::Executor executor, Siblings& siblings);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  struct Attempt {
    const Host& host;
    const std::string& address;  ///< what its name was looked up to; empty: it is none
    TargetSession target;        ///< not `prefer_standby`, which one server alone cannot meet
    Time deadline;
  };
  /// Until it has succeeded once. False: see `connect_error`. `options` must outlive the connection.
  net::Task<bool> connect(const ConnectOptions& options, const Attempt& attempt);
  ConnectError connect_error() const;

  /// One statement in one round trip, whatever has to go before it (`verify`: a ping; a first time: its preparation).
  /// The statement and parameters must live until the end. A server that is silent for too long ends it as broken.
  net::Task<QueryResult> query(const Statement& statement, const Parameters& parameters, bool verify,
                               Interrupt& interrupt);
  /// The cheapest question. False: no answer within `ping_timeout`, or the connection is not fit for use.
  net::Task<bool> ping();

  /// In sync with the server and outside any transaction: fit for somebody else.
  bool reusable() const;
  bool broken() const { return broken_; }
  /// Broken because no answer came in time.
  bool silent() const { return silent_; }
  /// The server is not, or no longer, of the kind that was wanted: it has become a standby, say.
  bool moved() const;
  /// The server it leads to: address and port.
  std::string server() const;
  /// Waits through this executor from now on. Not while an operation is under way.
  void move_to(net::Executor executor);
  /// The socket, for a look from outside while idle.
  int socket() const { return PQsocket(connection_.get()); }
  int backend_pid() const { return PQbackendPID(connection_.get()); }

 private:
  struct Borrowed;
  struct Watch;
  class Busy;
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };

  bool send(const Statement& statement, const Parameters& parameters, bool verify);
  bool send_query(const Statement& statement, const Parameters& parameters);
  bool send_ping();
  net::Task<> exchange(QueryResult& result);
  net::Task<bool> flush();
  net::Task<bool> consume_input();
  void check_silence();
  bool take(PGresult* taken, QueryResult& result);
  void interrupt();
  void set_broken(QueryResult& result);

  net::Executor executor_;
  Siblings& siblings_;
  const ConnectOptions* options_ = nullptr;
  TargetSession target_ = TargetSession::any;
  std::string late_;  ///< where the last attempt to connect got no answer
  std::unique_ptr<PGconn, Finish> connection_;
  std::optional<Descriptor> descriptor_;
  std::shared_ptr<Watch> watch_;  ///< over the operation under way
  Time heard_{};                  ///< when it last got anything, or began
  bool pinging_ = false;          ///< its ping has not been answered
  std::uint64_t prepared_ = 0;    ///< bit 1 << Statement::id
  std::uint64_t preparing_ = 0;   ///< the bit of the statement whose preparation is under way
  bool pipeline_ = false;
  bool broken_ = false;
  bool stale_ = false;
  bool read_only_ = false;  ///< the server has refused to write
  bool interrupted_ = false;
  bool silent_ = false;
};

}  // namespace api::db
