#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "api/db/interrupt.hpp"
#include "api/db/repository.hpp"

namespace api {

enum class Method : std::uint8_t { get, head, post, options, other };

/// The path of an OPTIONS request about the server as a whole (RFC 9110, 9.3.7).
inline constexpr std::string_view kWholeServer = "*";

/// How a login has ended, for the audit log and the metrics.
enum class LoginOutcome : std::uint8_t {
  none,     ///< the request was no login, or malformed
  ok,       ///< a token was issued
  wrong,    ///< unknown or disabled user, or wrong password
  limited,  ///< refused because of earlier failures
  busy,     ///< refused because its queue is full
  failed,   ///< not decided: the database failed, or the client has gone
};

/// A request as the endpoints see it. Views live until the response is written.
struct Request {
  Method method = Method::other;
  std::string_view path = {};   ///< target up to the `?`, still percent-encoded
  std::string_view query = {};  ///< after it
  std::string_view id = {};     ///< variable last segment of the path, where the route has one
  std::string_view authorization = {};
  std::string_view content_type = {};
  std::string_view body = {};
  std::string_view client = {};      ///< address: the peer's, or the one that a trusted proxy reports
  std::string_view request_id = {};  ///< from the client, or generated
  int pressure = 0;                  ///< on this API, as the proxy says, in hundredths; 0: it does not say
  Caller caller;                     ///< for queries
};

/// An endpoint fills it. It is reused for every request of a connection, so that its strings keep their capacity.
struct Response {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string_view allow;           ///< with 405, and for OPTIONS
  std::string_view cache_control;   ///< empty: not sent
  std::string_view content_policy;  ///< of a page for browsers, with `nosniff`; empty: not sent
  int retry_after = 0;              ///< seconds; 0: not sent
  bool authenticate = false;        ///< with 401: send WWW-Authenticate
  bool no_store = false;            ///< must not be cached, whatever `cache_control` says
  bool validated = false;           ///< has an ETag, and If-None-Match is honoured
  bool unanswered = false;          ///< the client has gone: send nothing
  bool needed_database = false;     ///< the request asked the pool for a connection; for the load report
  std::string_view reason;          ///< for the log, a literal
  LoginOutcome login = LoginOutcome::none;
  std::string user;  ///< who logged in, or tried
  std::string etag;  ///< with its quotes; empty: not sent
  std::string body;

  void clear() {
    std::string kept = std::move(body);
    kept.clear();
    *this = Response();
    body = std::move(kept);
  }
};

}  // namespace api
