#include "api/db/connection.hpp"

#include <cassert>
#include <string_view>

#include <sys/socket.h>

namespace api::db {

namespace {

std::string first_line(const char* message) {
  std::string_view text = message ? message : "";
  return std::string(text.substr(0, text.find('\n')));
}

void ignore_notice(void*, const PGresult*) {}

QueryFailure classify(std::string_view sqlstate) {
  if (sqlstate == "57014") return QueryFailure::timeout;  // query_canceled
  // Shutdown, crash of a neighbour, cannot connect now; connection exceptions. Behind a pooler the session may live
  // on, but it is of no use.
  if (sqlstate.starts_with("57P") || sqlstate.starts_with("08")) return QueryFailure::broken;
  // A prepared statement that is not there (a pooler changed servers), or whose tables have changed shape.
  if (sqlstate == "26000" || sqlstate == "42P05" || sqlstate == "0A000") return QueryFailure::stale;
  return QueryFailure::refused;
}

}  // namespace

/// libpq closes its socket itself, also when a coroutine ends in the middle.
struct Connection::Borrowed {
  Descriptor descriptor;
  ~Borrowed() { descriptor.release(); }
};

Connection::Connection(net::Executor executor, net::asio::thread_pool& background)
    : executor_(executor), background_(background) {}

Connection::~Connection() {
  // libpq closes the socket.
  if (descriptor_) descriptor_->release();
}

net::Task<bool> Connection::connect(const ConnectOptions& options) {
  assert(!connection_);
  options_ = &options;
  std::vector<const char*> keywords, values;
  for (const auto& keyword : options.keywords) keywords.push_back(keyword.c_str());
  for (const auto& value : options.values) values.push_back(value.c_str());
  // libpq would block while it looks a name up. All addresses of it go in, to be tried in turn.
  std::string names, addresses;
  if (!options.host_name.empty()) {
    net::asio::ip::basic_resolver<net::asio::ip::tcp, net::Executor> resolver(executor_);
    auto [error, found] = co_await resolver.async_resolve(options.host_name, "", net::kAwait);
    if (error) {
      resolve_error_ = "cannot look up " + options.host_name + ": " + error.message();
      co_return false;
    }
    for (const auto& each : found) {
      names += (names.empty() ? "" : ",") + options.host_name;
      addresses += (addresses.empty() ? "" : ",") + each.endpoint().address().to_string();
    }
    keywords.insert(keywords.end(), {"host", "hostaddr"});
    values.insert(values.end(), {names.c_str(), addresses.c_str()});
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
  if (!connection_ || PQstatus(connection_.get()) == CONNECTION_BAD) co_return false;
  PQsetNoticeReceiver(connection_.get(), ignore_notice, nullptr);
  PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);

  // The timer's handler may run after the end of this coroutine; then `waiting` is gone.
  auto waiting = std::make_shared<Descriptor*>(nullptr);
  bool expired = false;
  net::Timer timer(executor_, options.timeout);
  timer.async_wait([weak = std::weak_ptr(waiting), &expired](boost::system::error_code error) {
    auto alive = weak.lock();
    if (error || !alive) return;
    expired = true;
    if (*alive) (*alive)->cancel();
  });

  auto state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED && !expired) {
    // libpq may go on to another socket at every step (the next host): registered for one step only.
    Borrowed borrowed{{executor_, PQsocket(connection_.get())}};
    *waiting = &borrowed.descriptor;
    const auto direction = state == PGRES_POLLING_READING ? Descriptor::wait_read : Descriptor::wait_write;
    co_await borrowed.descriptor.async_wait(direction, net::kAwait);
    *waiting = nullptr;
    if (!expired) state = PQconnectPoll(connection_.get());
  }
  if (state != PGRES_POLLING_OK) co_return false;
  PQsetnonblocking(connection_.get(), 1);
  descriptor_.emplace(executor_, PQsocket(connection_.get()));
  co_return true;
}

ConnectError Connection::connect_error() const {
  if (!resolve_error_.empty()) return {resolve_error_};
  ConnectError error{first_line(PQerrorMessage(connection_.get()))};
  if (error.message.empty()) error.message = "no answer in time";
  // libpq has the code only in the text: `… FATAL:  28P01: password authentication failed …`.
  constexpr std::string_view kFatal = "FATAL:  ";
  if (const std::size_t at = error.message.find(kFatal); at != std::string::npos) {
    const std::string_view code = std::string_view(error.message).substr(at + kFatal.size(), 5);
    error.permanent = code.starts_with("28") || code == "3D000";  // invalid authorization, unknown database
  }
  return error;
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
  bool alive = co_await flush();
  while (alive) {
    if (PQisBusy(connection_.get())) {
      alive = co_await consume_input();
      continue;
    }
    PGresult* taken = PQgetResult(connection_.get());
    if (taken) {
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
  if (interrupted_ && result.failure == QueryFailure::timeout) result.failure = QueryFailure::interrupted;
  if (result.failure == QueryFailure::stale) stale_ = true;
  co_return result;
}

/// Queues everything that goes out in one packet.
bool Connection::send(const Statement& statement, const Parameters& parameters, bool verify) {
  PGconn* connection = connection_.get();
  const std::uint64_t bit = std::uint64_t{1} << statement.id;
  const bool prepare = options_->prepared_statements && !(prepared_ & bit);
  pipeline_ = verify || prepare;
  if (!pipeline_) return send_query(statement, parameters);

  if (!PQenterPipelineMode(connection)) return false;
  // The empty statement is the cheapest ping: no plan, no snapshot.
  if (verify && !PQsendQueryParams(connection, "", 0, nullptr, nullptr, nullptr, nullptr, 1)) return false;
  if (prepare && !PQsendPrepare(connection, statement.name, statement.sql, static_cast<int>(statement.types.size()),
                                statement.types.data())) {
    return false;
  }
  preparing_ = bit;
  return send_query(statement, parameters) && PQpipelineSync(connection);
}

bool Connection::send_query(const Statement& statement, const Parameters& parameters) {
  constexpr int kBinary = 1;
  const Parameters::Arrays arrays = parameters.arrays();
  if (options_->prepared_statements) {
    return PQsendQueryPrepared(connection_.get(), statement.name, parameters.count(), arrays.values.data(),
                               arrays.lengths.data(), arrays.formats.data(), kBinary);
  }
  return PQsendQueryParams(connection_.get(), statement.sql, parameters.count(), statement.types.data(),
                           arrays.values.data(), arrays.lengths.data(), arrays.formats.data(), kBinary);
}

net::Task<bool> Connection::flush() {
  int left = PQflush(connection_.get());
  while (left > 0) {
    auto [error] = co_await descriptor_->async_wait(Descriptor::wait_write, net::kAwait);
    left = error ? -1 : PQflush(connection_.get());
  }
  co_return left == 0;
}

net::Task<bool> Connection::consume_input() {
  auto [error] = co_await descriptor_->async_wait(Descriptor::wait_read, net::kAwait);
  co_return !error && PQconsumeInput(connection_.get()) != 0;
}

/// Owns `taken`. False: it was the end of the pipeline.
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
    case PGRES_EMPTY_QUERY:       // a ping
    case PGRES_PIPELINE_ABORTED:  // follows an error that was seen
      return true;
    default: {
      const char* sqlstate = PQresultErrorField(taken, PG_DIAG_SQLSTATE);
      // Without a code it is libpq's own: the connection is lost.
      result.sqlstate = sqlstate ? sqlstate : "08006";
      result.failure = classify(result.sqlstate);
      result.message = first_line(PQresultErrorMessage(taken));
      return true;
    }
  }
}

bool Connection::reusable() const {
  return !broken_ && !stale_ && !interrupted_ && !pipeline_ && PQstatus(connection_.get()) == CONNECTION_OK &&
         PQtransactionStatus(connection_.get()) == PQTRANS_IDLE;
}

void Connection::move_to(net::Executor executor) {
  if (executor == executor_) return;
  executor_ = executor;
  descriptor_->release();
  descriptor_.emplace(executor_, PQsocket(connection_.get()));
}

/// The first time asks the server to stop; the second time gives the connection up.
void Connection::interrupt() {
  if (interrupted_) {
    ::shutdown(PQsocket(connection_.get()), SHUT_RDWR);
    return;
  }
  // A cancel request can reach the server late and hit the next statement: this connection is not used again.
  interrupted_ = true;
  PGcancel* cancel = PQgetCancel(connection_.get());
  if (!cancel) return;
  net::asio::post(background_, [cancel] {
    char message[256];
    PQcancel(cancel, message, sizeof(message));
    PQfreeCancel(cancel);
  });
}

void Connection::set_broken(QueryResult& result) {
  broken_ = true;
  result.failure = QueryFailure::broken;
  if (result.message.empty()) result.message = first_line(PQerrorMessage(connection_.get()));
}

}  // namespace api::db
