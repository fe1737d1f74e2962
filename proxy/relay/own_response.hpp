#pragma once

#include <string>
#include <string_view>

#include "proxy/config/refusals.hpp"
#include "proxy/http/message.hpp"
#include "proxy/relay/failure.hpp"

namespace spillway::relay {

/// Seconds for `Retry-After`; none.
inline constexpr int kNoRetryAfter = -1;

struct OwnResponseContext {
  std::string_view request_id;
  std::string_view date;              ///< IMF-fixdate
  std::string_view detail;            ///< in place of the answer's own, unless empty
  int retry_after = kNoRetryAfter;    ///< seconds
  bool head_method = false;           ///< announce the body, do not send it
  bool wants_html = false;            ///< a browser asks
  bool may_repeat = false;            ///< GET or HEAD: its page may load itself again
  const WebOrigin* origin = nullptr;  ///< of the scripts that may read the response; null: none
  std::string_view exposed = {};      ///< names of fields that they may read
};

/// A response that the proxy makes itself, as head and body, for any version of HTTP. The head's views are good until
/// the next `make_…`, and as long as the answer's and the context's texts. Reused: keeps its capacity.
class OwnResponse {
 public:
  OwnResponse() = default;
  OwnResponse(const OwnResponse&) = delete;

  http::ResponseHead head;
  std::string body;

  /// A problem document (RFC 9457) that tells of a failure.
  void make_problem(const Answer& answer, const OwnResponseContext& context);
  /// A refusal, as the configuration wants it to look. Views into `look` stay in the head.
  void make_refusal(const Answer& answer, const RefusalConfig& look, const OwnResponseContext& context);
  /// Answers a preflight (Fetch standard, CORS protocol) that would have been refused. It allows one of a listed
  /// origin, so that the request itself gets the refusal; to another one it gives no permission. `headers`: what the
  /// preflight asks for.
  void make_preflight(std::string_view headers, const OwnResponseContext& context);
  /// The answer to an OPTIONS request that is not to go further (RFC 9110, section 7.6.2).
  void make_options(const OwnResponseContext& context);

 private:
  void begin(int status, std::string_view reason, const OwnResponseContext& context);
  void finish(const Answer& answer, std::string_view content_type, const OwnResponseContext& context);
  void add_problem(const Answer& answer, const OwnResponseContext& context);
  void add_cors(const OwnResponseContext& context);
  void add(std::string_view name, std::string_view value) { head.fields.push_back({name, value}); }

  std::string values_;  ///< of fields that are put together
};

}  // namespace spillway::relay
