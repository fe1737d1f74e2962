#include "api/db/connect_options.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include <libpq-fe.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/db/connection_url.hpp"

namespace api::db {

namespace {

/// How many ping timeouts sent bytes may stay unacknowledged. More than one, because packets may be lost.
constexpr int kUnacknowledgedPings = 2;

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

std::string* find(ConnectOptions& options, std::string_view keyword) {
  auto it = std::find(options.keywords.begin(), options.keywords.end(), keyword);
  return it == options.keywords.end() ? nullptr
                                      : &options.values[static_cast<std::size_t>(it - options.keywords.begin())];
}

/// False: it was given.
bool set_unless_given(ConnectOptions& options, std::string_view keyword, std::string value) {
  if (find(options, keyword)) return false;
  options.keywords.emplace_back(keyword);
  options.values.push_back(std::move(value));
  return true;
}

std::string milliseconds(Duration duration) {
  return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

std::string description_of(ConnectOptions& options) {
  std::string text;
  for (std::string_view keyword : {"host", "hostaddr", "port", "dbname", "user"}) {
    if (const std::string* value = find(options, keyword)) {
      if (keyword == "user" && !options.hidden_user.empty()) continue;
      if (!text.empty()) text += ' ';
      text.append(keyword).append("=").append(*value);
    }
  }
  return text;
}

/// Why an option has an invalid value, such as an unknown sslmode; empty: all are valid. libpq checks the values when
/// it connects, so connect to a socket that does not exist: that needs neither the network nor time.
std::string fault_of_values(const ConnectOptions& options) {
  std::vector<const char*> keywords, values;
  for (std::size_t i = 0; i < options.keywords.size(); ++i) {
    if (is_place(options.keywords[i])) continue;
    keywords.push_back(options.keywords[i].c_str());
    values.push_back(options.values[i].c_str());
  }
  keywords.insert(keywords.end(), {"host", "port", nullptr});
  values.insert(values.end(), {"/nonexistent", "5432", nullptr});
  PGconn* connection = PQconnectdbParams(keywords.data(), values.data(), 0);
  const std::string_view message = PQerrorMessage(connection);
  std::string fault;
  if (!message.starts_with("connection to server")) fault = message.substr(0, message.find('\n'));
  PQfinish(connection);
  return fault;
}

/// Why a file that libpq reads at each connect is none to read; empty: all are. OpenSSL would wait for the text of a
/// FIFO, and with it the event loop.
std::string fault_of_files(ConnectOptions& options) {
  constexpr off_t kFileMax = 1024 * 1024;
  for (const std::string_view keyword : {"sslcert", "sslkey", "sslrootcert", "sslcrl"}) {
    const std::string* path = find(options, keyword);
    const bool of_engine = keyword == "sslkey" && path && path->find(':') != std::string::npos;
    if (!path || path->empty() || of_engine) continue;
    struct stat status {};
    std::string fault;
    if (::stat(path->c_str(), &status) != 0 || ::access(path->c_str(), R_OK) != 0) {
      fault = std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): glibc's is, for known errors
    } else if (!S_ISREG(status.st_mode)) {
      fault = "not a regular file";
    } else if (status.st_size > kFileMax) {
      fault = "longer than " + std::to_string(kFileMax) + " bytes";
    }
    if (!fault.empty()) return std::string(keyword) + ": " + *path + ": " + fault;
  }
  return {};
}

/// As `parse_connect_options`, but `error` may quote the string.
bool parse(const std::string& url, const ConnectPolicy& policy, ConnectOptions& options, std::string& error) {
  char* message = nullptr;
  std::unique_ptr<PQconninfoOption, FreeOptions> parsed(PQconninfoParse(url.c_str(), &message));
  if (!parsed) {
    error = "not a PostgreSQL connection string: " + std::string(message ? message : "out of memory");
    PQfreemem(message);
    return false;
  }
  options = {};
  options.timeout = policy.timeout;
  options.ping_timeout = policy.ping_timeout;
  options.prepared_statements = policy.prepared_statements;
  for (const PQconninfoOption* option = parsed.get(); option->keyword; ++option) {
    if (!option->val) continue;
    options.keywords.emplace_back(option->keyword);
    options.values.emplace_back(option->val);
  }
  if (const std::string* user = find(options, "user"); user && names_user(url)) options.hidden_user = *user;
  options.description = description_of(options);
  std::string reason;
  if (!read_hosts(options.keywords, options.values, options.hosts, options.target, reason)) {
    error = "not a PostgreSQL connection string: " + reason;
    return false;
  }
  if (std::string fault = fault_of_values(options); !fault.empty()) {
    error = "not a PostgreSQL connection string: " + fault;
    return false;
  }

  error = fault_of_files(options);
  if (!error.empty()) return false;

  // Whatever the URL says: JSON is UTF-8.
  set_unless_given(options, "client_encoding", "");
  *find(options, "client_encoding") = "UTF8";
  set_unless_given(options, "application_name", "scholarship-api");
  // Without it, libpq looks for Kerberos credentials at every connect, which costs time and megabytes.
  set_unless_given(options, "gssencmode", "disable");
  // An idle connection notices within half a minute that its peer has vanished …
  set_unless_given(options, "keepalives_idle", "10");
  set_unless_given(options, "keepalives_interval", "3");
  set_unless_given(options, "keepalives_count", "3");
  // … and a connection that has sent something notices within this time, also while connecting or cancelling.
  if (set_unless_given(options, "tcp_user_timeout", milliseconds(policy.timeout))) {
    options.unacknowledged_limit = kUnacknowledgedPings * policy.ping_timeout;
  }
  if (policy.prepared_statements && policy.statement_timeout > Duration::zero()) {
    set_unless_given(options, "options", "");
    *find(options, "options") += " -c statement_timeout=" + milliseconds(policy.statement_timeout);
    options.silence_limit = policy.statement_timeout + policy.ping_timeout;
  }
  return true;
}

}  // namespace

bool is_place(std::string_view keyword) {
  return keyword == "host" || keyword == "hostaddr" || keyword == "port";
}

bool parse_connect_options(const std::string& url, const ConnectPolicy& policy, ConnectOptions& options,
                           std::string& error) {
  error = fault_of_url(url);
  if (!error.empty()) return false;
  if (parse(url, policy, options, error)) return true;
  error = without_values(error);
  return false;
}

}  // namespace api::db
