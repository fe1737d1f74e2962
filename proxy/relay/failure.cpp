#include "proxy/relay/failure.hpp"

#include <algorithm>
#include <charconv>

namespace spillway::relay {

using admission::Reason;
using telemetry::Outcome;

Failure Failure::refused(Reason reason) {
  Failure failure(Kind::refused);
  failure.reason = reason;
  return failure;
}

Failure Failure::bad_request(http::Violation violation) {
  Failure failure(Kind::bad_request);
  failure.violation = violation;
  return failure;
}

Failure Failure::response_invalid(http::Violation violation) {
  Failure failure(Kind::response_invalid);
  failure.violation = violation;
  return failure;
}

namespace {

std::string_view title_of(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

Answer answer(int status, std::string_view detail, std::string_view reason, std::string_view proxy_status,
              Outcome outcome) {
  return {status, title_of(status), detail, reason, proxy_status, outcome};
}

Answer describe_refusal(Reason reason) {
  constexpr std::string_view kLoad = "Service at capacity, please retry";
  const std::string_view name = admission::name(reason);
  const auto refusal = [&](int status, std::string_view detail, std::string_view proxy_status) {
    return answer(status, detail, name, proxy_status, Outcome::shed);
  };
  switch (reason) {
    case Reason::fairness:
      return refusal(429, "Too many requests of this client at once, please retry", "http_request_denied");
    case Reason::deadline:
      return refusal(503, "The request cannot finish within its X-Request-Timeout", "http_request_denied");
    case Reason::breaker:
      return refusal(503, "The service behind this proxy is failing, please retry", "destination_unavailable");
    case Reason::maintenance:
      return refusal(503, "Down for maintenance, please retry", "destination_unavailable");
    case Reason::draining:
      return refusal(503, "This instance is shutting down, please retry", "destination_unavailable");
    case Reason::connections:
      return refusal(503, "Too many connections, please retry", "http_request_denied");
    case Reason::capacity:
    case Reason::queue_full:
    case Reason::queue_timeout:
    case Reason::pool:
    case Reason::upstream_connections:
      break;
  }
  return refusal(503, kLoad, "connection_limit_reached");
}

}  // namespace

Answer describe(const Failure& failure) {
  switch (failure.kind) {
    case Failure::Kind::none:
      break;
    case Failure::Kind::refused:
      return describe_refusal(failure.reason);
    case Failure::Kind::bad_request:
      return answer(failure.violation.status, failure.violation.rule, "bad_request", "http_request_error",
                    Outcome::client_error);
    case Failure::Kind::last_hop:
      return answer(204, "", "max_forwards", "", Outcome::ok);
    case Failure::Kind::client_gone:
      return answer(0, "The client closed the connection", "client_gone", "", Outcome::aborted);
    case Failure::Kind::client_timeout:
      return answer(408, "The request was not received in time", "client_timeout", "http_request_error",
                    Outcome::timeout);
    case Failure::Kind::client_slow:
      return answer(408, "The client was too slow to hold a place", "client_slow", "http_request_error",
                    Outcome::timeout);
    case Failure::Kind::connect_failed:
      return answer(502, "The service cannot be reached", "connect_failed", "connection_refused",
                    Outcome::upstream_error);
    case Failure::Kind::connect_timeout:
      return answer(504, "The service did not accept a connection in time", "connect_timeout", "connection_timeout",
                    Outcome::timeout);
    case Failure::Kind::upstream_closed:
      return answer(502, "The service closed the connection without an answer", "upstream_closed",
                    "connection_terminated", Outcome::upstream_error);
    case Failure::Kind::response_timeout:
      return answer(504, "The service did not answer in time", "response_timeout", "http_response_timeout",
                    Outcome::timeout);
    case Failure::Kind::response_invalid:
      return answer(502, "The service sent a malformed answer", "response_invalid", "http_protocol_error",
                    Outcome::upstream_error);
    case Failure::Kind::response_cut:
      return answer(502, "The service sent an incomplete answer", "response_cut", "http_response_incomplete",
                    Outcome::upstream_error);
  }
  return answer(500, "Unknown failure", "internal", "proxy_internal_error", Outcome::upstream_error);
}

namespace {

constexpr std::string_view kAllow = "\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

void append_number(std::string& out, int number) {
  char digits[12];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

bool needs_escape(char c) {
  return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
}

/// For the texts that come from outside: the configured message, the client's request id.
void append_json(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  while (!text.empty()) {
    const auto special = std::find_if(text.begin(), text.end(), needs_escape);
    out.append(text.begin(), special);
    if (special == text.end()) return;
    const auto byte = static_cast<unsigned char>(*special);
    if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += '\\';
      out += *special;
    }
    text.remove_prefix(static_cast<std::size_t>(special - text.begin()) + 1);
  }
}

void append_body(const Answer& answer, const ProblemContext& context, std::string& out) {
  out += R"({"type":"about:blank","title":")";
  out += answer.title;
  out += R"(","status":)";
  append_number(out, answer.status);
  out += R"(,"detail":")";
  if (context.detail.empty()) {
    out += answer.detail;
  } else {
    append_json(out, context.detail);
  }
  out += R"(","reason":")";
  out += answer.reason;
  out += R"(","request_id":")";
  append_json(out, context.request_id);
  out += "\"}\n";
}

}  // namespace

void write_options(const ProblemContext& context, std::string& out) {
  out += "HTTP/1.1 204 No Content\r\nDate: ";
  out += context.date;
  out += kAllow;
  out += "\r\nX-Request-ID: ";
  out += context.request_id;
  if (!context.keep_alive) out += "\r\nConnection: close";
  out += "\r\n\r\n";
}

void write_problem(const Answer& answer, const ProblemContext& context, std::string& out) {
  out += "HTTP/1.1 ";
  append_number(out, answer.status);
  out += ' ';
  out += answer.title;
  out += "\r\nDate: ";
  out += context.date;
  out += "\r\nContent-Type: application/problem+json\r\nCache-Control: no-store\r\nProxy-Status: spillway; error=";
  out += answer.proxy_status;
  if (context.retry_after != kNoRetryAfter) {
    out += "\r\nRetry-After: ";
    append_number(out, context.retry_after);
  }
  if (answer.status == 405) out += kAllow;
  out += "\r\nX-Request-ID: ";
  out += context.request_id;
  if (!context.keep_alive) out += "\r\nConnection: close";
  // The length stands before the body it counts: three digits always suffice to be patched in later.
  out += "\r\nContent-Length: ";
  const std::size_t length_at = out.size();
  out += "   \r\n\r\n";
  const std::size_t body_at = out.size();
  append_body(answer, context, out);
  const std::size_t length = out.size() - body_at;
  char digits[8];
  const auto end = std::to_chars(digits, digits + sizeof digits, length).ptr;
  out.replace(length_at, 3, digits, static_cast<std::size_t>(end - digits));
  if (context.head_method) out.resize(body_at + static_cast<std::size_t>(end - digits) - 3);
}

}  // namespace spillway::relay
