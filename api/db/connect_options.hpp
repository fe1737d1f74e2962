#pragma once

#include <string>
#include <vector>

#include "proxy/net/clock.hpp"

namespace api::db {

/// What every connection of a pool is opened with. Immutable once made, so it may be read by any thread.
struct ConnectOptions {
  std::vector<std::string> keywords;
  std::vector<std::string> values;
  Duration timeout = std::chrono::seconds(5);  ///< for the whole of one attempt
  bool prepared_statements = true;             ///< false behind a pooler that changes servers between transactions
  std::string description;                     ///< where to, without secrets: for logs
  std::string host_name;                       ///< to be looked up before each attempt; empty: libpq needs no help
};

struct ConnectPolicy {
  Duration timeout;
  Duration statement_timeout;  ///< 0: none. Not sent without prepared statements: such a pooler refuses it
  bool prepared_statements;
};

/// From a libpq connection string or URI. False: `error` says in one line what is wrong, without the password.
bool parse_connect_options(const std::string& url, const ConnectPolicy& policy, ConnectOptions& options,
                           std::string& error);

}  // namespace api::db
