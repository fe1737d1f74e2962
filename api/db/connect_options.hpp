#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/db/hosts.hpp"
#include "proxy/net/clock.hpp"

namespace api::db {

/// The options with which a pool opens its connections. Not changed after parsing, so any thread may read them.
struct ConnectOptions {
  std::vector<std::string> keywords;
  std::vector<std::string> values;
  std::vector<Host> hosts;  ///< at least one, in the order of the URL
  TargetSession target = TargetSession::any;
  Duration timeout = std::chrono::seconds(5);  ///< for each address of a host, including the look-up
  Duration ping_timeout = std::chrono::seconds(1);
  Duration silence_limit{};         ///< longest silence of the server during a query. 0: no limit
  Duration unacknowledged_limit{};  ///< longest time that sent bytes may stay unacknowledged. 0: as in the URL
  bool prepared_statements = true;  ///< false behind a pooler that changes servers between transactions
  std::string description;          ///< host, port, database and user, for logs
  std::string hidden_user;          ///< the user, when it stands in a URL: shown nowhere
};

struct ConnectPolicy {
  Duration timeout;
  Duration statement_timeout;  ///< 0: none. Not sent if `prepared_statements` is false: such poolers refuse it
  bool prepared_statements;
  Duration ping_timeout = std::chrono::seconds(1);
};

/// The option is part of `hosts`.
bool is_place(std::string_view keyword);

/// Parses a libpq connection string or URI. False: `error` is one line that does not show the password.
bool parse_connect_options(const std::string& url, const ConnectPolicy& policy, ConnectOptions& options,
                           std::string& error);

}  // namespace api::db
