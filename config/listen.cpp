#include "config/listen.hpp"

#include <algorithm>
#include <utility>

namespace config {
namespace {

constexpr std::size_t kMaxGroupName = 32;  // useradd(8)

constexpr TextForm kMode = {"a file mode in octal, such as \"0660\"", "^0?[0-7]{3}$",
                            [](std::string_view text) {
                              if (text.size() == 4 && text.front() == '0') text.remove_prefix(1);
                              return text.size() == 3 && text.find_first_not_of("01234567") == text.npos;
                            },
                            true};

constexpr TextForm kGroup = {"the name or number of a group", "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$",
                             [](std::string_view text) {
                               const auto fits = [](char c) {
                                 return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                                        c == '_' || c == '.' || c == '-';
                               };
                               return !text.empty() && text.size() <= kMaxGroupName && text.front() != '-' &&
                                      text.front() != '.' && std::all_of(text.begin(), text.end(), fits);
                             },
                             true};

/// Printed only where it is set.
Scalar set_flag(bool& value) {
  Scalar scalar = flag(value);
  scalar.print = [&value] { return value ? std::optional<std::string>("true") : std::nullopt; };
  return scalar;
}

}  // namespace

bool parse(std::string_view text, Listen& listen) {
  Address address;
  if (!parse(text, address)) return false;
  listen = {.address = std::move(address)};
  return true;
}

std::optional<std::string> to_text(const Listen& listen) {
  if (listen.mode || listen.group || listen.proxy_protocol || listen.http2 || listen.tls != ListenTls()) return {};
  return to_text(listen.address);
}

std::string_view words_for(const Listen& listen) {
  return words_for(listen.address);
}

std::string hint_for(std::string_view text, const Listen& listen) {
  const bool port = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  if (Listen any; port && parse(':' + std::string(text), any)) return "a port alone: write :" + std::string(text);
  return hint_for(text, listen.address);
}

std::string_view pattern_for(const Listen& listen) {
  return pattern_for(listen.address);
}

void describe(Fields& f, Listen& listen) {
  f.value({.name = "address", .doc = "Where to listen.", .needs_restart = true, .required = true, .identity = true},
          listen.address);
  f.optional_text({.name = "mode",
                   .doc = "Of a unix socket's file; whoever may write to it may connect. Without it the umask decides.",
                   .needs_restart = true},
                  listen.mode, kMode);
  f.optional_text({.name = "group", .doc = "Of a unix socket's file.", .needs_restart = true}, listen.group, kGroup);
  f.scalar({.name = "proxy_protocol",
            .doc = "true: each connection must come from `trusted_proxies` and begin with a PROXY header (version 1 or "
                   "2), which names the client. false: a connection begins with a request.",
            .needs_restart = true},
           set_flag(listen.proxy_protocol));
  f.scalar(
      {.name = "http2",
       .doc = "true: HTTP/2 is spoken here besides HTTP/1: with `tls` if the client agrees on it (ALPN), else with "
              "clients that begin with its preface (prior knowledge). false: HTTP/1 alone.",
       .needs_restart = true},
      set_flag(listen.http2));
  f.section({.name = "tls", .doc = "Speak TLS here; without a certificate plain HTTP.", .optional = true},
            [&] { describe(f, listen.tls); });
}

}  // namespace config
