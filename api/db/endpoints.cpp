#include "api/db/endpoints.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>

#include <arpa/inet.h>
#include <libpq-fe.h>

namespace api::db {

namespace {

struct Free {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

constexpr int kMaxPort = 65535;
constexpr const char* kDefaultPort = "5432";

/// Of a list with commas; an empty list has one empty element.
std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t comma = list.find(',');
    parts.emplace_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    list.remove_prefix(comma + 1);
  }
}

bool is_port(const std::string& text) {
  int number = 0;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end && number >= 1 && number <= kMaxPort;
}

bool is_name(const std::string& host) {
  if (host.empty() || host.front() == '/' || host.front() == '@') return false;
  in6_addr address;
  return ::inet_pton(AF_INET, host.c_str(), &address) != 1 && ::inet_pton(AF_INET6, host.c_str(), &address) != 1;
}

Wanted read_wanted(std::string_view text) {
  if (text == "read-write") return Wanted::read_write;
  if (text == "read-only") return Wanted::read_only;
  if (text == "primary") return Wanted::primary;
  if (text == "standby") return Wanted::standby;
  if (text == "prefer-standby") return Wanted::prefer_standby;
  return Wanted::any;
}

}  // namespace

const char* to_text(Wanted wanted) {
  switch (wanted) {
    case Wanted::read_write:
      return "read-write";
    case Wanted::read_only:
      return "read-only";
    case Wanted::primary:
      return "primary";
    case Wanted::standby:
      return "standby";
    case Wanted::prefer_standby:
      return "prefer-standby";
    case Wanted::any:
      break;
  }
  return "any";
}

bool read_endpoints(const std::vector<std::string>& keywords, const std::vector<std::string>& values,
                    std::vector<Endpoint>& endpoints, Wanted& wanted, std::string& error) {
  // libpq tells what it would add only of a connection. One that fails before it is begun will do: for this value it
  // has no meaning, and it is looked at after everything that matters here.
  constexpr std::string_view kStopped = "invalid channel_binding value";
  std::vector<const char*> names, texts;
  for (std::size_t i = 0; i < keywords.size(); ++i) {
    if (keywords[i] == "channel_binding") continue;
    names.push_back(keywords[i].c_str());
    texts.push_back(values[i].c_str());
  }
  names.insert(names.end(), {"channel_binding", nullptr});
  texts.insert(texts.end(), {"stop", nullptr});
  const std::unique_ptr<PGconn, Free> connection(PQconnectStartParams(names.data(), texts.data(), 0));
  const std::string_view message = PQerrorMessage(connection.get());
  if (!message.starts_with(kStopped)) {
    error = message.substr(0, message.find('\n'));
    return false;
  }
  std::string host, address, port;
  const std::unique_ptr<PQconninfoOption, Free> all(PQconninfo(connection.get()));
  for (const PQconninfoOption* option = all.get(); option && option->keyword; ++option) {
    const std::string_view keyword = option->keyword;
    const char* value = option->val ? option->val : "";
    if (keyword == "host") host = value;
    if (keyword == "hostaddr") address = value;
    if (keyword == "port") port = value;
    if (keyword == "target_session_attrs") wanted = read_wanted(value);
  }
  // libpq has found the lists to be as long as each other, or a port to stand for all.
  const std::vector<std::string> hosts = split(host), addresses = split(address), ports = split(port);
  const std::size_t count = address.empty() ? hosts.size() : addresses.size();
  for (std::size_t i = 0; i < count; ++i) {
    Endpoint endpoint;
    if (i < hosts.size()) endpoint.host = hosts[i];
    if (i < addresses.size()) endpoint.address = addresses[i];
    endpoint.port = ports.size() == 1 ? ports.front() : ports[i];
    if (endpoint.port.empty()) endpoint.port = kDefaultPort;
    if (!is_port(endpoint.port)) {
      error = "invalid port number: \"" + endpoint.port + "\"";
      return false;
    }
    endpoint.is_name = endpoint.address.empty() && is_name(endpoint.host);
    endpoints.push_back(std::move(endpoint));
  }
  return true;
}

}  // namespace api::db
