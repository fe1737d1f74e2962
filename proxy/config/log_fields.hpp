#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace spillway {

/// The members of an access line in JSON, in the order in which they are written.
enum class LogField : std::uint8_t {
  time,
  level,
  request_id,
  client_request_id,
  trace_id,
  client,
  peer,
  method,
  path,
  protocol,
  host,
  user_agent,
  status,
  outcome,
  reason,
  would_refuse,
  error,
  rule,
  stream,
  class_,
  queue_ms,
  upstream_ms,
  total_ms,
  upstream_status,
  upstream_address,
  bytes_in,
  bytes_out,
  in_flight,
  limit,
  retries,
};
inline constexpr std::array<std::string_view, 30> kLogFieldNames{"time",
                                                                 "level",
                                                                 "request_id",
                                                                 "client_request_id",
                                                                 "trace_id",
                                                                 "client",
                                                                 "peer",
                                                                 "method",
                                                                 "path",
                                                                 "protocol",
                                                                 "host",
                                                                 "user_agent",
                                                                 "status",
                                                                 "outcome",
                                                                 "reason",
                                                                 "would_refuse",
                                                                 "error",
                                                                 "rule",
                                                                 "stream",
                                                                 "class",
                                                                 "queue_ms",
                                                                 "upstream_ms",
                                                                 "total_ms",
                                                                 "upstream_status",
                                                                 "upstream_address",
                                                                 "bytes_in",
                                                                 "bytes_out",
                                                                 "in_flight",
                                                                 "limit",
                                                                 "retries"};
static_assert(static_cast<std::size_t>(LogField::retries) + 1 == kLogFieldNames.size());

/// A set of fields: bit `1 << LogField` for each.
using LogFieldSet = std::uint32_t;
constexpr LogFieldSet bit(LogField field) {
  return LogFieldSet{1} << static_cast<unsigned>(field);
}
inline constexpr LogFieldSet kAllLogFields = (LogFieldSet{1} << kLogFieldNames.size()) - 1;

/// An element of `log.fields`: one field, or `default` for all of them.
struct LogFieldChoice {
  LogFieldSet fields = kAllLogFields;
  bool operator==(const LogFieldChoice&) const = default;
};

LogFieldSet all_of(const std::vector<LogFieldChoice>& choices);

// Required by config::Fields; see `parsed` there.
bool parse(std::string_view text, LogFieldChoice& value);
std::string to_text(const LogFieldChoice& value);
std::string_view words_for(const LogFieldChoice&);
std::string_view pattern_for(const LogFieldChoice&);
std::string hint_for(std::string_view text, const LogFieldChoice&);

}  // namespace spillway
