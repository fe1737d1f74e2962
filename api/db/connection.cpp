#include "api/db/connection.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include "api/db/cancel.hpp"
#include "api/db/connection_url.hpp"

namespace api::db {

namespace {

/// How often an operation is checked that takes longer than this.
constexpr Duration kLookInterval = std::chrono::milliseconds(100);

/// read_only_sql_transaction: the server has become a standby.
constexpr std::string_view kReadOnly = "25006";

/// OpenSSL may keep a part of a TLS record that did not fit into libpq's buffer. The socket does not show it as
/// readable.
bool holds_more(PGconn* connection) {
  if (!PQsslInUse(connection)) return false;
  auto* tls = static_cast<SSL*>(PQsslStruct(connection, "OpenSSL"));
  return tls && SSL_pending(tls) > 0;
}

bool is_readable(int socket) {
  pollfd looked{socket, POLLIN, 0};
  return ::poll(&looked, 1, 0) > 0;
}

}  // namespace

/// Calls `check_silence` while an operation takes long. The timer goes on from one operation to the next, so a short
/// operation sets and cancels none. When the connection moves to another thread, this stays on its own and does
/// nothing.
struct Connection::Watch : std::enable_shared_from_this<Watch> {
  explicit Watch(net::Executor executor) : timer(executor) {}

  void arm(Duration after) {
    if (armed) return;
    armed = true;
    timer.expires_after(after);
    timer.async_wait([self = shared_from_this()](boost::system::error_code error) {
      self->armed = false;
      if (!error && self->busy) self->busy->check_silence();
    });
  }

  net::Timer timer;
  bool armed = false;
  Connection* busy = nullptr;
};

/// Marks the connection as busy for the time of an operation.
class Connection::Busy {
 public:
  explicit Busy(Connection& connection) : watch_(connection.watch_) {
    connection.heard_ = Clock::now();
    watch_->busy = &connection;
    watch_->arm(std::min(kLookInterval, connection.options_->ping_timeout));
  }
  ~Busy() { watch_->busy = nullptr; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  const std::shared_ptr<Watch> watch_;
};

Connection::Connection(net::Executor executor, Siblings& siblings)
    : executor_(executor), siblings_(siblings), watch_(std::make_shared<Watch>(executor)) {}

Connection::~Connection() {
  // libpq closes the socket.
  boost::system::error_code ignored;
  if (socket_) socket_->release(ignored);
}

net::Task<QueryResult> Connection::query(const Statement& statement, const Parameters& parameters, bool verify,
                                         Interrupt& interrupt) {
  QueryResult result;
  Interrupt::Scope scope(
      interrupt, [](void* self) { static_cast<Connection*>(self)->interrupt(); }, this);
  if (!send(statement, parameters, verify)) {
    set_broken(result);
    co_return result;
  }
  co_await exchange(result);
  if (interrupted_ && result.failure == QueryFailure::timeout) result.failure = QueryFailure::interrupted;
  // What is transient may well be of this one server process: a repetition gets another.
  if (result.failure == QueryFailure::stale || result.failure == QueryFailure::transient) stale_ = true;
  co_return result;
}

net::Task<bool> Connection::ping() {
  QueryResult result;
  pipeline_ = false;
  if (send_ping()) {
    co_await exchange(result);
  } else {
    set_broken(result);
  }
  co_return reusable();
}

/// Sends what is queued and reads the reply to its end.
net::Task<> Connection::exchange(QueryResult& result) {
  Busy busy(*this);
  has_read_ = false;
  const int left = PQflush(connection_.get());
  bool alive = left == 0;
  if (left > 0) alive = co_await flush();
  while (alive) {
    if (PQisBusy(connection_.get())) {
      if (!silent_ && !has_input()) {
        auto [error] = co_await socket_->wait_input();
        alive = !error || has_input();  // input that `check_silence` has found
      }
      alive = alive && consume_input();
      continue;
    }
    PGresult* taken = PQgetResult(connection_.get());
    if (taken) {
      has_read_ = true;  // perhaps by libpq itself, when it could not send
      if (!take(taken, result)) break;
    } else if (!pipeline_) {
      break;
    } else {
      // In pipeline mode a null only separates two commands; the end is marked.
      alive = PQstatus(connection_.get()) == CONNECTION_OK;
    }
  }
  if (!alive || result.failure == QueryFailure::broken || PQstatus(connection_.get()) != CONNECTION_OK) {
    set_broken(result);
  }
}

/// The operation has taken long: looks for input that is not reported, and decides whether the server is silent.
void Connection::check_silence() {
  const Duration ping_timeout = options_->ping_timeout;
  const Duration limit = options_->silence_limit;
  const Duration silence = Clock::now() - heard_;
  const Duration first_look = std::min(kLookInterval, ping_timeout);
  if (silence < first_look) {
    watch_->arm(first_look - silence);
    return;
  }
  // The end of the connection that came together with the last bytes of an earlier answer. libpq tells nobody that it
  // could not send the query then.
  if (!has_read_ && is_readable(PQsocket(connection_.get()))) {
    has_read_ = true;
    socket_->end_wait();
    watch_->arm(kLookInterval);
    return;
  }
  if (silence < ping_timeout) {
    watch_->arm(std::min(kLookInterval, ping_timeout - silence));
    return;
  }
  if (pinging_ || (limit > Duration::zero() && silence > limit) || siblings_.replaced_at() > heard_) {
    silent_ = true;
    boost::system::error_code ignored;
    socket_->cancel(ignored);
    return;
  }
  watch_->arm(kLookInterval);
  siblings_.ping_idle();
}

/// Queues everything that goes out in one packet.
bool Connection::send(const Statement& statement, const Parameters& parameters, bool verify) {
  PGconn* connection = connection_.get();
  const std::uint64_t bit = std::uint64_t{1} << statement.id;
  const bool prepare = prepares(statement) && !(prepared_ & bit);
  pipeline_ = verify || prepare;
  if (!pipeline_) return send_query(statement, parameters);

  if (!PQenterPipelineMode(connection)) return false;
  // The server answers the ping before it begins the query, however long the query takes.
  if (verify && !(send_ping() && PQsendFlushRequest(connection))) return false;
  if (prepare && !PQsendPrepare(connection, statement.name, statement.sql, static_cast<int>(statement.types.size()),
                                statement.types.data())) {
    return false;
  }
  preparing_ = bit;
  return send_query(statement, parameters) && PQpipelineSync(connection);
}

/// An empty statement is the cheapest: PostgreSQL makes no plan and no snapshot.
bool Connection::send_ping() {
  pinging_ = true;
  return PQsendQueryParams(connection_.get(), "", 0, nullptr, nullptr, nullptr, nullptr, 1) != 0;
}

bool Connection::send_query(const Statement& statement, const Parameters& parameters) {
  constexpr int kBinary = 1;
  const Parameters::Arrays arrays = parameters.arrays();
  if (prepares(statement)) {
    return PQsendQueryPrepared(connection_.get(), statement.name, parameters.count(), arrays.values.data(),
                               arrays.lengths.data(), arrays.formats.data(), kBinary);
  }
  return PQsendQueryParams(connection_.get(), statement.sql, parameters.count(), statement.types.data(),
                           arrays.values.data(), arrays.lengths.data(), arrays.formats.data(), kBinary);
}

/// Sends the rest of what was too much for the socket.
net::Task<bool> Connection::flush() {
  int left = 1;
  while (left > 0 && !silent_) {
    auto [error] = co_await socket_->async_wait(net::Socket::wait_write, net::kAwait);
    left = error ? -1 : PQflush(connection_.get());
  }
  co_return left == 0;
}

/// Whether there is input that has been reported already. libpq does not tell whether it has read all, and the next
/// report may never come. Before the first read of an operation there is none: whatever has come since the last one is
/// reported.
bool Connection::has_input() const {
  return holds_more(connection_.get()) || (has_read_ && is_readable(PQsocket(connection_.get())));
}

/// After a wait. False: the connection is lost.
bool Connection::consume_input() {
  if (silent_ || PQsocket(connection_.get()) < 0) return false;
  heard_ = Clock::now();
  has_read_ = true;
  return PQconsumeInput(connection_.get()) != 0;
}

/// Takes ownership of `taken`. False: it is the end of the pipeline.
bool Connection::take(PGresult* taken, QueryResult& result) {
  Result owned(taken);
  switch (PQresultStatus(taken)) {
    case PGRES_TUPLES_OK:
      result.rows = std::move(owned);
      return true;
    case PGRES_PIPELINE_SYNC:
      PQexitPipelineMode(connection_.get());
      pipeline_ = false;
      return false;
    case PGRES_COMMAND_OK:  // a preparation
      prepared_ |= preparing_;
      return true;
    case PGRES_EMPTY_QUERY:  // a ping
      pinging_ = false;
      return true;
    case PGRES_PIPELINE_ABORTED:  // follows an error that was read before
      return true;
    default: {
      const char* sqlstate = PQresultErrorField(taken, PG_DIAG_SQLSTATE);
      // An error without a code is libpq's own: the connection is lost.
      result.sqlstate = sqlstate ? sqlstate : "08006";
      result.failure = failure_of(result.sqlstate);
      read_only_ = read_only_ || result.sqlstate == kReadOnly;
      result.message = without_name(PQresultErrorMessage(taken), options_->hidden_user);
      return true;
    }
  }
}

bool Connection::moved() const {
  if (read_only_) return true;
  if (target_ == TargetSession::any) return false;
  // PostgreSQL 14 and later report changes of these settings without being asked.
  auto is = [this](const char* setting, std::string_view value) {
    const char* reported = PQparameterStatus(connection_.get(), setting);
    return reported && reported == value;
  };
  switch (target_) {
    case TargetSession::read_write:
      return is("in_hot_standby", "on") || is("default_transaction_read_only", "on");
    case TargetSession::primary:
      return is("in_hot_standby", "on");
    case TargetSession::standby:
      return is("in_hot_standby", "off");
    case TargetSession::read_only:
      return is("in_hot_standby", "off") && is("default_transaction_read_only", "off");
    case TargetSession::prefer_standby:
    case TargetSession::any:
      break;
  }
  return false;
}

std::string Connection::server() const {
  const char* address = PQhostaddr(connection_.get());
  return std::string(address && *address ? address : PQhost(connection_.get())) + ' ' + PQport(connection_.get());
}

bool Connection::reusable() const {
  return !broken_ && !stale_ && !interrupted_ && !pipeline_ && PQstatus(connection_.get()) == CONNECTION_OK &&
         PQtransactionStatus(connection_.get()) == PQTRANS_IDLE;
}

void Connection::move_to(net::Executor executor) {
  if (executor == executor_) return;
  executor_ = executor;
  watch_ = std::make_shared<Watch>(executor);
  boost::system::error_code ignored;
  socket_->release(ignored);
  socket_.emplace(executor_, PQsocket(connection_.get()));
}

/// The first call cancels the query; the second one closes the connection.
void Connection::interrupt() {
  // A late cancel request could hit the next statement, so this connection is never reused.
  if (!std::exchange(interrupted_, true) && request_cancel(connection_.get())) return;
  ::shutdown(PQsocket(connection_.get()), SHUT_RDWR);
}

void Connection::set_broken(QueryResult& result) {
  broken_ = true;
  result.failure = QueryFailure::broken;
  if (silent_ && result.message.empty()) result.message = "no answer in time";
  if (result.message.empty()) result.message = without_name(PQerrorMessage(connection_.get()), options_->hidden_user);
}

}  // namespace api::db
