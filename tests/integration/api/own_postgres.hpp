#pragma once

#include <string>
#include <vector>

#include "tests/integration/api/program.hpp"

namespace api::test {

/// A PostgreSQL for one test, started by the script that developers use.
class OwnPostgres {
 public:
  OwnPostgres();
  /// A standby that follows `primary`.
  explicit OwnPostgres(const OwnPostgres* primary);
  ~OwnPostgres();
  OwnPostgres(const OwnPostgres&) = delete;
  OwnPostgres& operator=(const OwnPostgres&) = delete;

  /// Creates the API's tables and some scholarships.
  void fill() const;
  void start() const;
  /// The URL of its database.
  std::string url() const;
  /// The folder of its socket.
  std::string host() const;
  /// Ends the postmaster at once; an immediate stop sends SIGQUIT.
  void end(int signal) const;
  /// Stops all its processes until `thaw` or the end.
  void freeze();
  void thaw();

 private:
  std::string command(const std::string& verb) const;
  std::string output(const std::string& verb) const;

  Folder folder_;
  std::vector<pid_t> frozen_;
};

}  // namespace api::test
