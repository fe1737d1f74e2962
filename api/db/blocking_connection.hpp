#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <libpq-fe.h>

#include "api/db/connect_options.hpp"

namespace api::db {

/// A connection for the command line: every call blocks. It keeps the first failure; every later call does nothing and
/// returns false. Not thread-safe.
class BlockingConnection {
 public:
  explicit BlockingConnection(const ConnectOptions& options);

  bool ok() const { return ok_; }
  /// The first failure in one line: the step and the server's message.
  const std::string& error() const { return error_; }
  const std::string& sqlstate() const { return sqlstate_; }
  /// The failure is a lock that another connection holds.
  bool locked() const { return sqlstate_ == "55P03" || sqlstate_ == "40P01"; }
  /// Rolls back, and forgets the failure.
  bool start_over();

  /// Any number of statements without parameters. `what`: the step, for the error.
  bool run(const char* sql, std::string_view what) { return ok_ && check(PQexec(connection_.get(), sql), what); }
  /// One statement with text parameters.
  bool run(const char* sql, const std::vector<const char*>& parameters, std::string_view what);
  /// Sets a failure that the server has not reported.
  void refuse(std::string why);

  // Results of the last statement.
  int rows() const { return PQntuples(last_.get()); }
  std::string_view affected() const { return PQcmdTuples(last_.get()); }
  std::string_view value(int row, int column = 0) const { return PQgetvalue(last_.get(), row, column); }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
    void operator()(PGresult* result) const { PQclear(result); }
  };

  bool check(PGresult* result, std::string_view what);
  void fail(std::string_view what);

  const std::string hidden_;
  std::unique_ptr<PGconn, Finish> connection_;
  std::unique_ptr<PGresult, Finish> last_;
  std::string error_, sqlstate_;
  bool ok_ = true;
};

}  // namespace api::db
