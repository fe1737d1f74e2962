#pragma once

#include <memory>
#include <string>

#include <libpq-fe.h>

namespace api::test {

/// The database that all tests share: created for this run, with the tables and a few thousand demo scholarships.
class Database {
 public:
  static const Database& shared();
  ~Database();

  const std::string& url() const { return url_; }
  /// The same database through another socket folder.
  std::string url_through(const std::string& host) const;
  /// The folder of the server's socket.
  const std::string& host() const { return host_; }
  const std::string& port() const { return port_; }
  const std::string& user() const { return user_; }

  static constexpr int kScholarships = 3000;

 private:
  Database();
  std::string name_, base_, url_, host_, port_, user_;
};

/// A blocking connection of the test.
class Session {
 public:
  explicit Session(const std::string& url = Database::shared().url());
  void run(const std::string& sql);
  std::string value(const std::string& sql);
  /// The server accepts the statement.
  bool try_run(const std::string& sql);

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  std::unique_ptr<PGconn, Finish> connection_;
};

/// Tables in a schema of their own, without the checks, so that they can hold invalid rows. Dropped at the end.
/// They hold the user of the shared tables, and one scholarship, `Odd one` for students of Law.
class OwnTables {
 public:
  explicit OwnTables(std::string schema);
  ~OwnTables();

  /// The configuration of an API that uses them, with two connections.
  std::string config() const;
  Session& session() { return session_; }

 private:
  std::string schema_;
  Session session_;
};

/// Makes every query on scholarships wait until its destruction.
class TableLock {
 public:
  TableLock() {
    session_.run("BEGIN");
    session_.run("LOCK TABLE scholarships");
  }

 private:
  Session session_;
};

}  // namespace api::test
