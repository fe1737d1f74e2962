#include "api/db/hosts.hpp"

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

/// Splits at commas. An empty list has one empty element.
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

TargetSession read_target_session(std::string_view text) {
  if (text == "read-write") return TargetSession::read_write;
  if (text == "read-only") return TargetSession::read_only;
  if (text == "primary") return TargetSession::primary;
  if (text == "standby") return TargetSession::standby;
  if (text == "prefer-standby") return TargetSession::prefer_standby;
  return TargetSession::any;
}

}  // namespace

const char* to_text(TargetSession target) {
  switch (target) {
    case TargetSession::read_write:
      return "read-write";
    case TargetSession::read_only:
      return "read-only";
    case TargetSession::primary:
      return "primary";
    case TargetSession::standby:
      return "standby";
    case TargetSession::prefer_standby:
      return "prefer-standby";
    case TargetSession::any:
      break;
  }
  return "any";
}

bool read_hosts(const std::vector<std::string>& keywords, const std::vector<std::string>& values,
                std::vector<Host>& hosts, TargetSession& target, std::string& error) {
  // libpq shows the options that it adds only for a connection object. This one fails before it connects, at an invalid
  // value that libpq checks after everything that matters here.
  constexpr std::string_view kStopped = "invalid channel_binding value";
  std::vector<const char*> keys, texts;
  for (std::size_t i = 0; i < keywords.size(); ++i) {
    if (keywords[i] == "channel_binding") continue;
    keys.push_back(keywords[i].c_str());
    texts.push_back(values[i].c_str());
  }
  keys.insert(keys.end(), {"channel_binding", nullptr});
  texts.insert(texts.end(), {"stop", nullptr});
  const std::unique_ptr<PGconn, Free> connection(PQconnectStartParams(keys.data(), texts.data(), 0));
  const std::string_view message = PQerrorMessage(connection.get());
  if (!message.starts_with(kStopped)) {
    error = message.substr(0, message.find('\n'));
    return false;
  }
  std::string names, addresses, ports;
  const std::unique_ptr<PQconninfoOption, Free> all(PQconninfo(connection.get()));
  for (const PQconninfoOption* option = all.get(); option && option->keyword; ++option) {
    const std::string_view keyword = option->keyword;
    const char* value = option->val ? option->val : "";
    if (keyword == "host") names = value;
    if (keyword == "hostaddr") addresses = value;
    if (keyword == "port") ports = value;
    if (keyword == "target_session_attrs") target = read_target_session(value);
  }
  // libpq has checked that the lists have equal lengths, or that there is one port for all hosts.
  const std::vector<std::string> each_name = split(names), each_address = split(addresses), each_port = split(ports);
  const std::size_t count = addresses.empty() ? each_name.size() : each_address.size();
  for (std::size_t i = 0; i < count; ++i) {
    Host host;
    if (i < each_name.size()) host.name = each_name[i];
    if (i < each_address.size()) host.address = each_address[i];
    host.port = each_port.size() == 1 ? each_port.front() : each_port[i];
    if (host.port.empty()) host.port = kDefaultPort;
    if (!is_port(host.port)) {
      error = "invalid port number: \"" + host.port + "\"";
      return false;
    }
    host.is_name = host.address.empty() && is_name(host.name);
    hosts.push_back(std::move(host));
  }
  return true;
}

}  // namespace api::db
