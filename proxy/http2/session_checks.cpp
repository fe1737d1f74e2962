// What a session checks of a frame before nghttp2 sees it.

#include <nghttp2/nghttp2.h>

#include "proxy/http2/session.hpp"

namespace spillway::http2 {

namespace {
/// A compressed head is seldom longer than its list. Up to this often the list's limit it is answered 431.
constexpr std::uint64_t kCompressedFactor = 2;
}  // namespace

/// Looks at a frame before nghttp2 does. False: the session ends here.
bool Session::inspect(const FrameHead& frame, Time now) {
  head_frame_ = frame.type == FrameType::headers || frame.type == FrameType::continuation;
  if (++frames_ == 1) return true;  // the first SETTINGS
  switch (frame.type) {
    case FrameType::data:
      if (frame.length == 0 && !frame.has(kEndStream) && !count(Abuse::empty, now)) return false;
      return inspect_closed(frame, now);
    case FrameType::headers:
    case FrameType::continuation:
      return inspect_head(frame, now);
    case FrameType::priority:
      // nghttp2 ignores priorities, and so their errors.
      if (frame.stream == 0 || frame.depends_on == static_cast<std::uint32_t>(frame.stream)) {
        return fail(ErrorCode::protocol_error);
      }
      return count(Abuse::priority, now);
    case FrameType::priority_update:
      return count(Abuse::priority, now);
    case FrameType::rst_stream:
      return count(Abuse::reset, now);  // also of a stream that has been refused meanwhile
    case FrameType::settings:
      return frame.has(kAck) || count(Abuse::settings, now);
    case FrameType::ping:
      return count(Abuse::ping, now);
    case FrameType::window_update:
      return count(Abuse::window_update, now);
    case FrameType::push_promise:
      return true;  // an error of the connection
    case FrameType::goaway:
      break;
  }
  return count(Abuse::unknown, now);
}

bool Session::inspect_head(const FrameHead& frame, Time now) {
  if (frame.type == FrameType::headers) {
    block_ = 0;
    continuations_ = 0;
    ++heads_;
    in_head_ = true;
  } else if (in_head_ && ++continuations_ > limits_.continuations) {
    abuse_ = Abuse::continuation;
    return fail(ErrorCode::enhance_your_calm);
  }
  block_ += frame.length;
  if (block_ > kCompressedFactor * head_size_) {
    abuse_ = Abuse::header_list;
    return fail(ErrorCode::enhance_your_calm);
  }
  constexpr std::uint8_t kEndHeaders = 4;
  if (frame.has(kEndHeaders)) in_head_ = false;
  if (frame.type == FrameType::continuation) return true;
  if (frame.stream > newest_) {
    newest_ = frame.stream;
    return true;
  }
  return inspect_closed(frame, now);
}

/// DATA or HEADERS of a stream that may have been closed (RFC 9113, sections 5.1 and 5.1.1).
bool Session::inspect_closed(const FrameHead& frame, Time now) {
  if (frame.stream > newest_ || frame.stream % 2 == 0) return true;  // nghttp2 finds the error
  if (ended_ && frame.stream > last_) return true;                   // and ignores these
  if (nghttp2_session_get_stream_remote_close(session_, frame.stream) >= 0) return true;
  switch (closed(frame.stream)) {
    case Closed::reset_here:
      return count(Abuse::stray, now);
    case Closed::finished:
      return fail(ErrorCode::stream_closed);
    case Closed::unknown:
      break;
  }
  return fail(ErrorCode::protocol_error);
}

}  // namespace spillway::http2
