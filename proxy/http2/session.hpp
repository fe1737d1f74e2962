#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "proxy/http2/abuse_meter.hpp"
#include "proxy/http2/frame_walker.hpp"
#include "proxy/http2/response_fields.hpp"

struct nghttp2_session;

namespace spillway::http2 {

/// Codes of RST_STREAM and GOAWAY (RFC 9113, section 7).
enum class ErrorCode : std::uint32_t {
  no_error = 0,
  protocol_error = 1,
  internal_error = 2,
  stream_closed = 5,
  refused_stream = 7,
  cancel = 8,
  enhance_your_calm = 11,
};

/// A request's stream, as the session sees it. Called within `Session::receive` and `Session::produce`; must not call
/// the session unless a function says so.
class StreamEvents {
 public:
  virtual void on_field(std::string_view name, std::string_view value) = 0;
  /// The head is complete. May call `Session::reset`.
  virtual void on_head(bool end_stream) = 0;
  /// The flow-control windows are opened again by `Session::consumed`.
  virtual void on_data(std::string_view bytes) = 0;
  virtual void on_trailer(std::string_view name, std::string_view value) = 0;
  /// The client sends no more. May call `Session::reset`.
  virtual void on_end() = 0;
  /// Bytes of the body that can be sent now, and whether they are the last.
  struct Available {
    std::size_t size = 0;
    bool last = false;
  };
  virtual Available available() const = 0;
  /// The next `size` bytes of those go out behind a frame's head: puts them there. `end`: the last ones.
  virtual void take(std::size_t size, bool end) = 0;
  virtual void on_head_sent() = 0;
  /// The session forgets the stream: it is complete, or has been reset. May destroy the stream.
  virtual void on_closed() = 0;

 protected:
  ~StreamEvents() = default;
};

/// What concerns the connection. Called as those of a stream are.
class SessionEvents {
 public:
  /// A head begins. Null: the stream is refused.
  virtual StreamEvents* on_begin(std::int32_t stream) = 0;
  virtual void on_output(std::string_view bytes) = 0;
  /// No more output is wanted for now.
  virtual bool full() const = 0;
  /// PING has been answered.
  virtual void on_pong() = 0;

 protected:
  ~SessionEvents() = default;
};

/// HTTP/2 of one client's connection: nghttp2, with checks of its own in front. It looks at the head of each frame
/// before nghttp2 sees it: there it counts what may be abuse, and knows how each stream has been closed, which nghttp2
/// does not tell from one that was never used. No sockets, no clock. One loop's.
class Session {
 public:
  /// `head_size`: longest list of fields of a head, told to the client.
  Session(SessionEvents& events, const Limits& limits, std::uint64_t head_size);
  ~Session();
  Session(const Session&) = delete;

  /// Takes the client's bytes, beginning with the preface.
  void receive(std::string_view bytes, Time now);
  /// Gives frames to `on_output` until it is full, or there are none.
  void produce(Time now);
  /// Nothing more will be received or sent: close, once the output has gone out.
  bool over() const;
  /// A head has begun and not ended: its last byte has not come.
  bool in_head() const { return in_head_ || (head_frame_ && walker_.in_payload()); }
  std::size_t head_bytes() const { return block_; }
  /// Frames that wait to be sent.
  std::size_t queued() const;
  /// How many heads have begun.
  std::uint64_t heads() const { return heads_; }
  /// The client has sent its first SETTINGS.
  bool begun() const { return frames_ > 0; }
  /// What the client has done too often: then the session is ending.
  std::optional<Abuse> abuse() const { return abuse_; }
  /// Something outside the session is too much. As if the session had counted it.
  void note(Abuse kind, Time now);

  // For streams, outside the events except where those say so.

  void submit_interim(std::int32_t stream, const ResponseFields& head);
  /// `has_body`: `available` is asked for it.
  void submit_response(std::int32_t stream, StreamEvents& events, const ResponseFields& head, bool has_body);
  /// `available` says more than before.
  void resume(std::int32_t stream);
  void reset(std::int32_t stream, ErrorCode code);
  /// Bytes of `on_data` have been used: of the stream's window, and of the connection's.
  void consumed(std::int32_t stream, std::size_t size);
  void consumed_by_connection(std::size_t size);

  // The end.

  /// Asks the client to open no more streams, and goes on. `on_pong` tells when it has heard.
  void announce_end();
  /// No stream after the last one is served.
  void end();
  /// Ends at once.
  void terminate(ErrorCode code);
  /// No stream is called any more: they may be destroyed. Only after `terminate`, or if nothing more is received.
  void abandon_streams() { abandoned_ = true; }

 private:
  struct Callbacks;
  friend struct Callbacks;
  enum class Closed : std::uint8_t { unknown, finished, reset_here };

  void feed(std::string_view bytes);
  bool inspect(const FrameHead& frame, Time now);
  bool inspect_head(const FrameHead& frame, Time now);
  bool inspect_closed(const FrameHead& frame, Time now);
  bool count(Abuse kind, Time now);
  bool fail(ErrorCode code);
  StreamEvents* stream(std::int32_t id) const;
  Closed closed(std::int32_t stream) const;
  bool has_just_reset(std::int32_t stream) const;
  void remember(std::int32_t stream, bool reset_here);

  SessionEvents& events_;
  const Limits limits_;
  const std::uint64_t head_size_;
  AbuseMeter meter_;
  FrameWalker walker_;
  nghttp2_session* session_ = nullptr;
  StreamEvents* current_ = nullptr;  ///< whose fields come
  bool trailers_ = false;            ///< and they are trailers
  bool in_head_ = false;             ///< a frame with END_HEADERS is to come
  bool head_frame_ = false;          ///< the newest frame is of a head
  std::size_t block_ = 0;            ///< compressed bytes of the head
  int continuations_ = 0;            ///< of the head
  std::uint64_t frames_ = 0;
  std::uint64_t heads_ = 0;
  std::uint64_t responses_ = 0;
  std::int32_t newest_ = 0;  ///< greatest stream of the client
  std::int32_t last_ = 0;    ///< that is served, once `end` has been called
  bool announced_ = false;   ///< the end
  bool ended_ = false;
  bool terminated_ = false;
  bool abandoned_ = false;
  bool broken_ = false;  ///< out of memory
  Time now_{};
  std::optional<Abuse> abuse_;
  /// Streams that were closed last, `2 * id + reset_here`. What is older may still get frames if it was reset here, but
  /// not after so many others: then its frames are an error.
  static constexpr std::size_t kRemembered = 128;
  std::array<std::uint32_t, kRemembered> closed_{};
  std::size_t closed_at_ = 0;
};

}  // namespace spillway::http2
