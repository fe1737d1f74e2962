#include "api/users/users.hpp"

#include <ostream>
#include <vector>

#include "api/auth/passwords.hpp"
#include "api/db/blocking_connection.hpp"

namespace api::users {

namespace {

/// Runs a statement that changes one user, whose name is its first parameter.
bool change(const db::ConnectOptions& options, const char* sql, const std::string& name, const std::string* hash,
            std::ostream& err) {
  constexpr std::string_view kUniqueViolation = "23505", kUndefinedColumn = "42703", kUndefinedTable = "42P01";
  db::BlockingConnection connection(options);
  std::vector<const char*> parameters{name.c_str()};
  if (hash) parameters.push_back(hash->c_str());
  if (!connection.run(sql, parameters, "users")) {
    const std::string& code = connection.sqlstate();
    if (code == kUniqueViolation) {
      err << "there is a user of this name already\n";
    } else if (code == kUndefinedColumn || code == kUndefinedTable) {
      err << "the tables are not up to date: run scholarship-api migrate\n";
    } else {
      err << connection.error() << '\n';
    }
    return false;
  }
  if (connection.affected() == "1") return true;
  err << "there is no user of this name\n";
  return false;
}

}  // namespace

bool add(const db::ConnectOptions& options, const std::string& name, const std::string& password, std::ostream& err) {
  const std::string hash = auth::hash_password(password);
  return change(options, "INSERT INTO users (username, password_hash) VALUES ($1, $2)", name, &hash, err);
}

bool set_password(const db::ConnectOptions& options, const std::string& name, const std::string& password,
                  std::ostream& err) {
  const std::string hash = auth::hash_password(password);
  return change(options,
                "UPDATE users SET password_hash = $2, token_generation = token_generation + 1 WHERE username = $1",
                name, &hash, err);
}

bool disable(const db::ConnectOptions& options, const std::string& name, std::ostream& err) {
  return change(options,
                "UPDATE users SET disabled = true, token_generation = token_generation + 1 WHERE username = $1", name,
                nullptr, err);
}

bool enable(const db::ConnectOptions& options, const std::string& name, std::ostream& err) {
  return change(options, "UPDATE users SET disabled = false WHERE username = $1", name, nullptr, err);
}

bool remove(const db::ConnectOptions& options, const std::string& name, std::ostream& err) {
  return change(options, "DELETE FROM users WHERE username = $1", name, nullptr, err);
}

bool list(const db::ConnectOptions& options, std::ostream& out, std::ostream& err) {
  db::BlockingConnection connection(options);
  connection.run(
      "SELECT username, CASE WHEN disabled THEN 'disabled' ELSE 'active' END,"
      " to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
      " coalesce(to_char(last_login AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), 'never')"
      " FROM users ORDER BY username",
      "users");
  if (!connection.ok()) {
    err << connection.error() << '\n';
    return false;
  }
  out << "name\tstate\tcreated\tlast login\n";
  for (int row = 0; row < connection.rows(); ++row) {
    for (int column = 0; column < 4; ++column) out << (column > 0 ? "\t" : "") << connection.value(row, column);
    out << '\n';
  }
  return true;
}

}  // namespace api::users
