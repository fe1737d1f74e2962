// How a connection to the database comes about.
#include <cassert>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "api/db/connection.hpp"
#include "api/db/connection_url.hpp"
#include "api/db/wait_until.hpp"

namespace api::db {

namespace {

void ignore_notice(void*, const PGresult*) {}

/// Lets the kernel close the connection if the peer does not acknowledge for this long. No effect on unix sockets.
void limit_unacknowledged(int socket, Duration limit) {
  const auto ms = static_cast<unsigned>(std::chrono::ceil<std::chrono::milliseconds>(limit).count());
  ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

/// Releases the descriptor at the end, because libpq closes its socket itself.
struct Borrowed {
  Descriptor descriptor;
  ~Borrowed() { descriptor.release(); }
};

}  // namespace

net::Task<bool> Connection::connect(const ConnectOptions& options, const Attempt& attempt) {
  assert(!socket_);
  options_ = &options;
  target_ = attempt.target;
  late_.clear();
  std::vector<const char*> keywords, values;
  auto add = [&](const char* keyword, const std::string& value) {
    keywords.push_back(keyword);
    values.push_back(value.c_str());
  };
  for (std::size_t i = 0; i < options.keywords.size(); ++i) {
    if (!is_place(options.keywords[i])) add(options.keywords[i].c_str(), options.values[i]);
  }
  // Pass the name beside the address: certificates and password files contain the name.
  add("host", attempt.host.name);
  add("hostaddr", attempt.address);
  add("port", attempt.host.port);
  keywords.insert(keywords.end(), {"target_session_attrs", nullptr});
  values.insert(values.end(), {to_text(attempt.target), nullptr});
  connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
  if (!connection_ || PQstatus(connection_.get()) == CONNECTION_BAD) co_return false;
  PQsetNoticeReceiver(connection_.get(), ignore_notice, nullptr);
  PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);

  auto state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
    // libpq may change its socket at every step, for example to try without TLS. So register it for one step only.
    Borrowed borrowed{{executor_, PQsocket(connection_.get())}};
    const auto direction = state == PGRES_POLLING_READING ? Descriptor::wait_read : Descriptor::wait_write;
    const bool ready = co_await wait_until(borrowed.descriptor, direction, attempt.deadline);
    if (!ready) {
      late_ = attempt.host.name + (attempt.address.empty() ? "" : " (" + attempt.address + ")") + ", port " +
              attempt.host.port;
      break;
    }
    state = PQconnectPoll(connection_.get());
  }
  if (state != PGRES_POLLING_OK) co_return false;
  PQsetnonblocking(connection_.get(), 1);
  socket_.emplace(executor_, PQsocket(connection_.get()));
  if (options.unacknowledged_limit > Duration::zero()) {
    limit_unacknowledged(PQsocket(connection_.get()), options.unacknowledged_limit);
  }
  co_return true;
}

ConnectError Connection::connect_error() const {
  if (!late_.empty()) return {.message = "no answer in time from " + late_, .late = true};
  ConnectError error{.message = without_name(PQerrorMessage(connection_.get()), options_->hidden_user)};
  // libpq has the code only in the text: `… FATAL:  28P01: password authentication failed …`.
  constexpr std::string_view kFatal = "FATAL:  ";
  if (const std::size_t at = error.message.find(kFatal); at != std::string::npos) {
    const std::string_view code = std::string_view(error.message).substr(at + kFatal.size(), 5);
    error.permanent = code.starts_with("28") || code == "3D000";  // invalid authorization, unknown database
  }
  return error;
}

}  // namespace api::db
