#include "api/db/blocking_connection.hpp"

#include <chrono>
#include <utility>

#include "api/db/connection_url.hpp"

namespace api::db {

namespace {

/// The connect timeout of libpq, in seconds; it uses at least 2.
std::string seconds(Duration duration) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(duration).count());
}

}  // namespace

BlockingConnection::BlockingConnection(const ConnectOptions& options) : hidden_(options.hidden_user) {
  std::vector<const char*> keywords, values;
  // For each address. A value in the URL comes later and replaces this one.
  const std::string timeout = seconds(options.timeout);
  keywords.push_back("connect_timeout");
  values.push_back(timeout.c_str());
  for (const auto& keyword : options.keywords) keywords.push_back(keyword.c_str());
  for (const auto& value : options.values) values.push_back(value.c_str());
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectdbParams(keywords.data(), values.data(), 0));
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    fail("cannot connect to the database (" + options.description + ")");
  }
}

bool BlockingConnection::start_over() {
  ok_ = true;
  sqlstate_.clear();
  return run("ROLLBACK", "rollback");
}

bool BlockingConnection::run(const char* sql, const std::vector<const char*>& parameters, std::string_view what) {
  return ok_ && check(PQexecParams(connection_.get(), sql, static_cast<int>(parameters.size()), nullptr,
                                   parameters.data(), nullptr, nullptr, 0),
                      what);
}

void BlockingConnection::refuse(std::string why) {
  error_ = std::move(why);
  ok_ = false;
}

bool BlockingConnection::check(PGresult* result, std::string_view what) {
  last_.reset(result);
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return true;
  const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  sqlstate_ = sqlstate ? sqlstate : "";
  fail(what);
  return false;
}

void BlockingConnection::fail(std::string_view what) {
  error_ = std::string(what) + ": " + without_name(PQerrorMessage(connection_.get()), hidden_);
  ok_ = false;
}

}  // namespace api::db
