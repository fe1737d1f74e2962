#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/db/hosts.hpp"
#include "proxy/net/clock.hpp"

namespace api::db {

/// What every connection of a pool is opened with. Immutable once made, so it may be read by any thread.
struct ConnectOptions {
  std::vector<std::string> keywords;
  std::vector<std::string> values;
  std::vector<Host> hosts;  ///< at least one, in the order of the URL
  TargetSession target = TargetSession::any;
  Duration timeout = std::chrono::seconds(5);  ///< for each address of an host, the look-up included
  Duration ping_timeout = std::chrono::seconds(1);
  Duration silence_limit{};         ///< of the server during a query: it would have ended it before. 0: none
  Duration unacknowledged_limit{};  ///< for what was sent, on an open connection; 0: as the URL says
  bool prepared_statements = true;  ///< false behind a pooler that changes servers between transactions
  std::string description;          ///< where to, without secrets: for logs
  std::string hidden_user;          ///< the user, when it stands in a URL: shown nowhere
};

struct ConnectPolicy {
  Duration timeout;
  Duration statement_timeout;  ///< 0: none. Not sent without prepared statements: such a pooler refuses it
  bool prepared_statements;
  Duration ping_timeout = std::chrono::seconds(1);
};

/// An option that says where to connect to, which `hosts` hold.
bool is_place(std::string_view keyword);

/// From a libpq connection string or URI. False: `error` says in one line what is wrong, without the password.
bool parse_connect_options(const std::string& url, const ConnectPolicy& policy, ConnectOptions& options,
                           std::string& error);

}  // namespace api::db
