#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace api::db {

/// One of the hosts that a connection string names.
struct Host {
  std::string name;     ///< a name, an address, or the folder of a unix socket; empty: libpq's default folder
  std::string address;  ///< `hostaddr`: the name is not looked up
  std::string port;
  bool is_name = false;  ///< `name` must be looked up
};

/// The kind of server that is wanted: libpq's `target_session_attrs`.
enum class TargetSession : std::uint8_t { any, read_write, read_only, primary, standby, prefer_standby };

/// As in a connection string.
const char* to_text(TargetSession target);

/// A cluster has only one server of this kind.
constexpr bool is_unique(TargetSession target) {
  return target == TargetSession::read_write || target == TargetSession::primary;
}

/// Reads the hosts from these libpq options, and from what libpq adds from the environment and the service file. False:
/// `error` is libpq's reason in one line.
bool read_hosts(const std::vector<std::string>& keywords, const std::vector<std::string>& values,
                std::vector<Host>& hosts, TargetSession& target, std::string& error);

}  // namespace api::db
