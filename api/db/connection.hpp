#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio.hpp>
#include <libpq-fe.h>

#include "api/db/connect_options.hpp"
#include "api/db/interrupt.hpp"
#include "api/db/result.hpp"
#include "api/db/statement.hpp"
#include "proxy/net/io.hpp"

namespace api::db {

enum class QueryFailure : std::uint8_t {
  none,
  broken,       ///< the connection is gone
  stale,        ///< the server no longer knows, or no longer can run, what was prepared: a new connection will do
  interrupted,  ///< cancelled because nobody waits for it
  timeout,      ///< statement_timeout
  refused,      ///< any other error of the server
};

struct QueryResult {
  Result rows;
  QueryFailure failure = QueryFailure::none;
  std::string message;   ///< of the server, first line; for the log, not for clients
  std::string sqlstate;  ///< of the server
};

struct ConnectError {
  std::string message;     ///< one line
  bool permanent = false;  ///< the server was reached and does not know this user, password or database
};

/// One connection to PostgreSQL: libpq in non-blocking mode, waiting through Asio. One operation at a time; used by
/// one thread at a time, which may change between operations (`move_to`).
class Connection {
 public:
  /// `background` runs what libpq only offers in blocking form: sending a cancel request.
  Connection(net::Executor executor, net::asio::thread_pool& background);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// At most once. False: see `connect_error`. `options` must outlive the connection.
  net::Task<bool> connect(const ConnectOptions& options);
  ConnectError connect_error() const;

  /// One statement in one round trip, whatever has to go before it (`verify`: a ping; a first time: its preparation).
  /// The statement and parameters must live until the end.
  net::Task<QueryResult> query(const Statement& statement, const Parameters& parameters, bool verify,
                               Interrupt& interrupt);

  /// In sync with the server and outside any transaction: fit for somebody else.
  bool reusable() const;
  bool broken() const { return broken_; }
  /// Waits through this executor from now on. Not while an operation is under way.
  void move_to(net::Executor executor);
  /// The socket, for a look from outside while idle.
  int socket() const { return PQsocket(connection_.get()); }
  int backend_pid() const { return PQbackendPID(connection_.get()); }

 private:
  using Descriptor = net::asio::posix::basic_stream_descriptor<net::Executor>;
  struct Borrowed;
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };

  bool send(const Statement& statement, const Parameters& parameters, bool verify);
  bool send_query(const Statement& statement, const Parameters& parameters);
  net::Task<bool> flush();
  net::Task<bool> consume_input();
  bool take(PGresult* taken, QueryResult& result);
  void interrupt();
  void set_broken(QueryResult& result);

  net::Executor executor_;
  net::asio::thread_pool& background_;
  const ConnectOptions* options_ = nullptr;
  std::string resolve_error_;
  std::unique_ptr<PGconn, Finish> connection_;
  std::optional<Descriptor> descriptor_;
  std::uint64_t prepared_ = 0;   ///< bit 1 << Statement::id
  std::uint64_t preparing_ = 0;  ///< the bit of the statement whose preparation is under way
  bool pipeline_ = false;
  bool broken_ = false;
  bool stale_ = false;
  bool interrupted_ = false;
};

}  // namespace api::db
