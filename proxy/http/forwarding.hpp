#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/http/message.hpp"

/// Which fields of a head are forwarded, and which the proxy adds, for every version of HTTP.
///
/// `to` is the writer of one version. It takes a field as `field(name, value)` or `number_field(name, number)`, or in
/// pieces: `begin_field(name)`, any number of `put(text...)`, `end_field()`. These are templates, because they run for
/// every field of every message.
namespace spillway::http {

/// Whether a request has passed the process before that puts this name into `Via`: it goes round in circles (RFC 9110,
/// section 7.6.3).
bool has_passed(const RequestHead& head, std::string_view pseudonym);

/// What the proxy tells the API about a request, besides the client's own fields.
struct Forwarding {
  std::string_view pseudonym = "spillway";  ///< in `Via`
  std::string_view client_address;          ///< without port; v6 without brackets
  std::string_view scheme = "http";
  std::string_view told_client;  ///< by a trusted peer in another field than X-Forwarded-For, which then gets it
  std::string_view told_scheme;  ///< the same, for X-Forwarded-Proto
  std::string_view told_host;    ///< the same, for X-Forwarded-Host
  std::string_view default_authority = "localhost";  ///< Host of a request that came without one (HTTP/1.0)
  bool trusted_peer = false;                 ///< the peer's X-Forwarded-* and Forwarded are extended, not replaced
  bool emit_forwarded = false;               ///< also write `Forwarded` (RFC 7239)
  std::string_view request_id;               ///< replaces the client's
  std::string_view traceparent;              ///< replaces the client's; empty leaves it out
  std::string_view certificate_subject;      ///< of the client's TLS certificate; empty: it has shown none
  std::string_view certificate_fingerprint;  ///< SHA-256 of it
  std::optional<int> pressure;               ///< on the API, in hundredths, 0 to 100: written as Spillway-Pressure
  std::optional<std::chrono::milliseconds> time_left;  ///< written as X-Request-Timeout in place of the client's
};

namespace detail {

/// Whether a field that the proxy knows, and that is not dropped, goes to the API as the client sent it.
bool passes(const Field& field, const RequestHead& head, const Forwarding& forwarding);

/// Writes the values of all fields called `id`, each with a comma behind it; the caller then writes the last value. So
/// all values are in one field, since many readers look at one field only.
template <class Head, class To>
void put_earlier(const Head& head, FieldName id, To& to) {
  if (!head.has(id)) return;
  for (const Field& field : head.fields) {
    if (field.id == id && !field.dropped && !field.value.empty()) to.put(field.value, ", ");
  }
}

}  // namespace detail

/// Writes the client's fields that go to the API as they were sent: not dropped ones, nor those that `put_own_fields`
/// writes.
template <class To>
void put_passed_fields(const RequestHead& head, const Forwarding& forwarding, To& to) {
  for (const Field& field : head.fields) {
    if (field.dropped) continue;
    if (field.id == FieldName::other || detail::passes(field, head, forwarding)) to.field(field.name, field.value);
  }
}

/// Writes the API's fields that go to the client. `request_id`: the proxy's, which replaces the API's; may be empty.
template <class To>
void put_passed_fields(const ResponseHead& head, std::string_view request_id, To& to) {
  for (const Field& field : head.fields) {
    if (field.dropped || field.id == FieldName::via) continue;
    if (field.id == FieldName::x_request_id && !request_id.empty()) continue;
    to.field(field.name, field.value);
  }
}

/// How a message came, for `Via`.
inline std::string_view via(const ResponseHead& head) {
  return head.minor == 0 ? "1.0 " : "1.1 ";
}
inline std::string_view via(const RequestHead& head) {
  if (head.http2) return "2.0 ";
  return head.minor == 0 ? "1.0 " : "1.1 ";
}

template <class Head, class To>
void put_via(const Head& head, To& to, std::string_view pseudonym = "spillway") {
  to.begin_field("Via");
  detail::put_earlier(head, FieldName::via, to);
  to.put(via(head), pseudonym);
  to.end_field();
}

/// Writes the X-Forwarded fields and `Forwarded` (RFC 7239; section 6 demands brackets and quotes for IPv6).
template <class To>
void put_forwarded(const RequestHead& head, const Forwarding& forwarding, To& to) {
  const std::string_view address = forwarding.client_address;
  const bool trusted = forwarding.trusted_peer;
  const std::string_view told = forwarding.told_client;
  if (!address.empty() || !told.empty()) {
    to.begin_field("X-Forwarded-For");
    if (trusted) detail::put_earlier(head, FieldName::x_forwarded_for, to);
    to.put(told, told.empty() || address.empty() ? "" : ", ", address);
    to.end_field();
  }
  if (!(trusted && head.has(FieldName::x_forwarded_proto))) {
    to.field("X-Forwarded-Proto", forwarding.told_scheme.empty() ? forwarding.scheme : forwarding.told_scheme);
  }
  const std::string_view host = forwarding.told_host.empty() ? head.authority : forwarding.told_host;
  if (!(trusted && head.has(FieldName::x_forwarded_host)) && !host.empty()) to.field("X-Forwarded-Host", host);
  if (!forwarding.emit_forwarded) return;
  to.begin_field("Forwarded");
  if (trusted) detail::put_earlier(head, FieldName::forwarded, to);
  if (address.find(':') != std::string_view::npos) {
    to.put("for=\"[", address, "]\"");
  } else {
    to.put("for=", address.empty() ? "unknown" : address);
  }
  if (!head.authority.empty()) to.put(";host=\"", head.authority, "\"");
  to.put(";proto=", forwarding.scheme);
  to.end_field();
}

/// Writes the proxy's own fields to the API. They replace the client's or extend them.
template <class To>
void put_own_fields(const RequestHead& head, const Forwarding& forwarding, To& to) {
  if (head.max_forwards) to.number_field("Max-Forwards", std::max(*head.max_forwards - 1, 0));
  put_via(head, to, forwarding.pseudonym);
  put_forwarded(head, forwarding, to);
  if (!forwarding.request_id.empty()) to.field("X-Request-ID", forwarding.request_id);
  if (!forwarding.traceparent.empty()) to.field("traceparent", forwarding.traceparent);
  if (!forwarding.certificate_fingerprint.empty()) {
    to.field("X-Client-Cert-Subject", forwarding.certificate_subject);
    to.field("X-Client-Cert-Fingerprint", forwarding.certificate_fingerprint);
  }
  if (forwarding.pressure) {
    const int hundredths = *forwarding.pressure;
    const char text[] = {hundredths >= 100 ? '1' : '0', '.', static_cast<char>('0' + hundredths / 10 % 10),
                         static_cast<char>('0' + hundredths % 10)};
    to.field("Spillway-Pressure", std::string_view(text, sizeof text));
  }
  if (forwarding.time_left) {
    to.number_field("X-Request-Timeout", std::max<std::int64_t>(forwarding.time_left->count(), 0));
  }
}

}  // namespace spillway::http
