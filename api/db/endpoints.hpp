#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace api::db {

/// One of the places that a connection string names.
struct Endpoint {
  std::string host;     ///< a name, an address, or the folder of a unix socket; empty: libpq's own folder
  std::string address;  ///< `hostaddr`: spares the look-up
  std::string port;
  bool is_name = false;  ///< `host` has to be looked up
};

/// libpq's target_session_attrs.
enum class Wanted : std::uint8_t { any, read_write, read_only, primary, standby, prefer_standby };

/// As in a connection string.
const char* to_text(Wanted wanted);

/// There can only be one server of this kind.
constexpr bool is_only_one(Wanted wanted) {
  return wanted == Wanted::read_write || wanted == Wanted::primary;
}

/// Where these libpq options lead, in their order, with what libpq would add from the environment and the service file.
/// False: `error` is libpq's reason in one line.
bool read_endpoints(const std::vector<std::string>& keywords, const std::vector<std::string>& values,
                    std::vector<Endpoint>& endpoints, Wanted& wanted, std::string& error);

}  // namespace api::db
