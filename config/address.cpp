#include "config/address.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <vector>

#include <arpa/inet.h>
#include <sys/un.h>

#include "config/cidr.hpp"

namespace config {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kDescriptor = "fd:";
/// sun_path also holds the terminating zero.
constexpr std::size_t kMaxUnixPath = sizeof(sockaddr_un{}.sun_path) - 1;
/// RFC 1035, 2.3.4.
constexpr std::size_t kMaxHostName = 253;
/// The first descriptor that systemd passes (SD_LISTEN_FDS_START), behind standard input, output and error.
constexpr int kFirstDescriptor = 3;

template <class T>
bool read_whole(std::string_view text, T& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && text.front() != '-' && result.ec == std::errc() && result.ptr == text.data() + text.size();
}

bool is_host_name(std::string_view host) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  };
  return !host.empty() && host.size() <= kMaxHostName && std::all_of(host.begin(), host.end(), fits);
}

bool is_v4(const std::string& host) {
  in_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1;
}

bool read_v6(const std::string& host, in6_addr& address) {
  return ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

bool parse_tcp(std::string_view text, Address& address) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::uint16_t port = 0;
  if (!read_whole(text.substr(colon + 1), port)) return false;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return false;
    host = host.substr(1, host.size() - 2);
    in6_addr v6{};
    if (!read_v6(std::string(host), v6)) return false;
  } else if (!host.empty() && !is_host_name(host)) {
    return false;
  } else if (!host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos &&
             !is_v4(std::string(host))) {
    return false;  // a mistyped IPv4 address, not a host name
  }
  address = Address::tcp(std::string(host), port);
  return true;
}

}  // namespace

Address Address::tcp(std::string host, std::uint16_t port) {
  Address address;
  address.host = std::move(host);
  address.port = port;
  return address;
}

Address Address::unix_socket(std::string path) {
  Address address;
  address.kind = Kind::unix_socket;
  address.path = std::move(path);
  return address;
}

bool parse(std::string_view text, Address& address) {
  if (text.starts_with(kUnix)) {
    const std::string_view path = text.substr(kUnix.size());
    if (path.size() < 2 || path.size() > kMaxUnixPath || path.front() != '/') return false;
    if (path.find('\0') != std::string_view::npos) return false;
    address = Address::unix_socket(std::string(path));
    return true;
  }
  if (text.starts_with(kDescriptor)) {
    int descriptor = 0;
    if (!read_whole(text.substr(kDescriptor.size()), descriptor) || descriptor < kFirstDescriptor) return false;
    address = {};
    address.kind = Address::Kind::descriptor;
    address.descriptor = descriptor;
    return true;
  }
  return parse_tcp(text, address);
}

std::string to_text(const Address& address) {
  switch (address.kind) {
    case Address::Kind::unix_socket:
      return std::string(kUnix) + address.path;
    case Address::Kind::descriptor:
      return std::string(kDescriptor) + std::to_string(address.descriptor);
    case Address::Kind::tcp:
      break;
  }
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? '[' + address.host + ']' : address.host) + ':' + std::to_string(address.port);
}

std::string_view words_for(const Address& /*address*/) {
  return "an address: host:port, :port, [v6]:port, unix:/path or fd:N (3 or more)";
}

std::string hint_for(std::string_view text, const Address& /*address*/) {
  Address any;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    std::string_view rest = text.substr(scheme.size());
    rest = rest.substr(0, rest.find('/'));
    const std::string with_port = std::string(rest) + (scheme == "https://" ? ":443" : ":80");
    if (parse(rest, any)) return "write " + std::string(rest);
    return parse(with_port, any) ? "write " + with_port : "";
  }
  std::uint16_t port = 0;
  if (read_whole(text, port)) return "a port alone: write localhost:" + std::string(text);
  if (text.starts_with('/')) return "write unix:" + std::string(text);
  const std::string bracketed = '[' + std::string(text.substr(0, text.rfind(':'))) + ']';
  const std::string v6 =
      text.find("::") == std::string_view::npos ? "" : bracketed + std::string(text.substr(text.rfind(':')));
  if (!v6.empty() && parse(v6, any)) return "write " + v6;
  return is_host_name(text) ? "it lacks a port: write " + std::string(text) + ":80" : "";
}

namespace {

struct Families {
  bool v4 = false, v6 = false;
};

std::string normal(std::string_view host) {
  std::string name(host);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (name.ends_with('.')) name.pop_back();
  return name;
}

bool names_loopback(std::string_view name) {
  return name == "localhost" || name.ends_with(".localhost");
}

bool is_v6_any(const std::string& host) {
  in6_addr address{};
  return read_v6(host, address) && IN6_IS_ADDR_UNSPECIFIED(&address);
}

bool is_v6_loopback(const std::string& host) {
  in6_addr address{};
  return read_v6(host, address) && IN6_IS_ADDR_LOOPBACK(&address);
}

/// The families in which this is an address of every interface. A listener on `::` takes IPv4, too.
Families any_of(const std::string& host) {
  if (host.empty() || is_v6_any(host)) return {true, true};
  return {host == "0.0.0.0", false};
}

/// The families in which a connection to it goes to this machine's loopback.
Families loopback_of(const std::string& host) {
  if (host.empty() || names_loopback(host)) return {true, true};
  if (host == "0.0.0.0" || (is_v4(host) && host.starts_with("127."))) return {true, false};
  return {false, is_v6_any(host) || is_v6_loopback(host)};
}

/// What a listener on a host takes.
struct Taken {
  bool all = false;     ///< every address of both families
  bool all_v4 = false;  ///< every one of IPv4
  std::vector<IpBytes> single = {};
  std::string name = {};  ///< whose addresses the resolver alone knows
};

Taken taken_by(const std::string& host) {
  const std::string name = normal(host);
  IpBytes address{};
  if (name.empty()) return {.all = true};
  if (names_loopback(name)) {
    IpBytes v4{}, v6{};
    parse("127.0.0.1", v4);
    parse("::1", v6);
    return {.single = {v4, v6}};
  }
  if (!parse(name, address)) return {.name = name};
  if (address == IpBytes{}) return {.all = true};
  IpBytes every_v4{};
  parse("0.0.0.0", every_v4);
  if (address == every_v4) return {.all_v4 = true};
  return {.single = {address}};
}

bool takes(const Taken& taken, const IpBytes& address) {
  return (taken.all_v4 && config::is_v4(address)) ||
         std::find(taken.single.begin(), taken.single.end(), address) != taken.single.end();
}

bool overlap(const Taken& one, const Taken& other) {
  // Whatever a name stands for is one of all.
  if (one.all || other.all || (one.all_v4 && other.all_v4)) return true;
  if (!one.name.empty() && one.name == other.name) return true;
  const auto taken_too = [](const Taken& by) { return [&by](const IpBytes& each) { return takes(by, each); }; };
  return std::any_of(one.single.begin(), one.single.end(), taken_too(other)) ||
         std::any_of(other.single.begin(), other.single.end(), taken_too(one));
}

/// Without what does not change the meaning: `//` and `/./`. Where `..` leads, a symbolic link may decide.
std::filesystem::path plain(const std::filesystem::path& path) {
  const bool goes_up = std::find(path.begin(), path.end(), "..") != path.end();
  return goes_up ? path : path.lexically_normal();
}

}  // namespace

bool overlap(const Address& one, const Address& other) {
  if (one.kind != other.kind) return false;
  switch (one.kind) {
    case Address::Kind::unix_socket:
      return plain(one.path) == plain(other.path);
    case Address::Kind::descriptor:
      return one.descriptor == other.descriptor;
    case Address::Kind::tcp:
      break;
  }
  return one.port == other.port && one.port != 0 && overlap(taken_by(one.host), taken_by(other.host));
}

bool is_localhost(const Address& address) {
  return address.kind == Address::Kind::tcp && names_loopback(normal(address.host));
}

bool reaches(const Address& to, const Address& listener) {
  if (to.kind != Address::Kind::tcp || listener.kind != Address::Kind::tcp) return to == listener;
  if (to.port != listener.port) return false;
  const std::string host = normal(to.host), bound = normal(listener.host);
  if (host == bound) return true;
  const Families goes = loopback_of(host), any = any_of(bound), waits = loopback_of(bound);
  if ((goes.v4 && any.v4) || (goes.v6 && any.v6)) return true;
  // Of two loopback addresses of IPv4 only a name or the unspecified one is the same as another: 127.0.0.2 is its own.
  const auto first_v4 = [](const std::string& name) {
    return !is_v4(name) || name == "127.0.0.1" || name == "0.0.0.0";
  };
  return (goes.v4 && waits.v4 && first_v4(host) && first_v4(bound)) || (goes.v6 && waits.v6);
}

std::string_view pattern_for(const Address& /*address*/) {
  return R"(^(unix:/.+|fd:[0-9]+|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5}|[A-Za-z0-9._-]*:[0-9]{1,5})$)";
}

}  // namespace config
