#include "proxy/http2/session.hpp"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "proxy/http2/session_memory.hpp"

namespace spillway::http2 {

namespace {

/// Acknowledgements of PING and SETTINGS that wait to be sent. A client that sends so many and reads none is flooding.
constexpr std::size_t kUnreadMax = 128;
/// Frames that wait to be sent, beside a few for each stream: a client that makes the proxy write so many, such as
/// resets, and reads none, is flooding, too.
constexpr std::size_t kQueuedMax = 1024;
constexpr std::size_t kQueuedOfStream = 4;
/// Frames that one other explains: a stream, its reprioritisations; a frame of data, window updates of its stream and
/// of the connection, which some clients send in pieces.
constexpr int kPrioritiesOfStream = 4;
constexpr int kWindowUpdatesOfData = 4;
/// nghttp2's own limits on resets and CONTINUATION frames are not used.
constexpr std::uint64_t kNever = 1'000'000'000;

std::string_view view(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

/// How often a field that changes with each response goes into the table of HPACK: its name is found there afterwards,
/// and takes a byte or two instead of one for each letter. Others push it out, but not as soon.
constexpr std::uint64_t kRenewName = 64;

/// nghttp2 keeps the views until it sends the head, but not the vector. `index_all`: also fields that change.
const std::vector<nghttp2_nv>& lines_of(const ResponseFields& head, bool index_all) {
  thread_local std::vector<nghttp2_nv> lines;
  lines.clear();
  const char* const text = head.text().data();
  for (const ResponseFields::Line& line : head.lines()) {
    auto* const name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(text + line.at));
    const int index = line.changing && !index_all ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    lines.push_back({name, name + line.name_size, line.name_size, line.value_size,
                     static_cast<std::uint8_t>(NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE | index)});
  }
  return lines;
}

const nghttp2_option* options() {
  static const nghttp2_option* const all = [] {
    nghttp2_option* option = nullptr;
    if (nghttp2_option_new(&option) != 0) throw std::bad_alloc();
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_http_messaging(option, 1);  // RequestBuilder checks, and says what is wrong
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_outbound_ack(option, kUnreadMax);
    nghttp2_option_set_stream_reset_rate_limit(option, kNever, kNever);
    nghttp2_option_set_max_continuations(option, kNever);
    return option;
  }();
  return all;
}

}  // namespace

/// nghttp2's callbacks. `user` is the session.
struct Session::Callbacks {
  static Session& of(void* user) { return *static_cast<Session*>(user); }

  static int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Session& self = of(user);
    const std::int32_t id = frame->hd.stream_id;
    self.trailers_ = frame->headers.cat != NGHTTP2_HCAT_REQUEST;
    if (self.trailers_) {
      self.current_ = self.stream(id);
      return 0;
    }
    // Until GOAWAY has gone out nghttp2 accepts streams behind the last one that it names.
    self.current_ = self.ended_ && id > self.last_ ? nullptr : self.events_.on_begin(id);
    if (!self.current_) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
      return 0;
    }
    nghttp2_session_set_stream_user_data(session, id, self.current_);
    self.meter_.explain(Abuse::priority, kPrioritiesOfStream);
    self.meter_.explain(Abuse::window_update, kWindowUpdatesOfData);
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    const Session& self = of(user);
    if (!self.current_) return 0;
    if (self.trailers_) {
      self.current_->on_trailer(view(name, name_size), view(value, value_size));
    } else {
      self.current_->on_field(view(name, name_size), view(value, value_size));
    }
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Session& self = of(user);
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS: {
        StreamEvents* const current = std::exchange(self.current_, nullptr);
        if (!current) break;
        if (!self.trailers_) {
          current->on_head(ends);
        } else if (ends) {
          current->on_end();
        } else {
          self.reset(frame->hd.stream_id, ErrorCode::protocol_error);  // RFC 9113, section 8.1
        }
        break;
      }
      case NGHTTP2_DATA:
        if (ends) {
          if (StreamEvents* const current = self.stream(frame->hd.stream_id)) current->on_end();
        } else if (frame->hd.length > 0 && frame->hd.length == frame->data.padlen) {
          self.note(Abuse::empty, self.now_);  // nothing but padding
        }
        break;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) self.events_.on_pong();
        break;
      default:
        break;
    }
    return 0;
  }

  static int on_data_chunk(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                           void* user) {
    Session& self = of(user);
    if (StreamEvents* const current = self.stream(id)) {
      current->on_data(view(bytes, size));
    } else {
      self.consumed_by_connection(size);
    }
    return 0;
  }

  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    Session& self = of(user);
    if (!self.has_just_reset(id)) self.remember(id, false);
    StreamEvents* const closed = self.stream(id);
    if (!closed) return 0;
    if (self.current_ == closed) self.current_ = nullptr;
    closed->on_closed();
    return 0;
  }

  static int on_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Session& self = of(user);
    if (frame->hd.type == NGHTTP2_HEADERS) {
      if (StreamEvents* const current = self.stream(frame->hd.stream_id)) current->on_head_sent();
    } else if (frame->hd.type == NGHTTP2_DATA) {
      self.meter_.explain(Abuse::window_update, kWindowUpdatesOfData);
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
      // Behind the announcement: whoever answers has heard it.
      if (self.announced_ && !self.ended_) nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, nullptr);
      const std::uint32_t code = frame->goaway.error_code;
      const bool own = code == NGHTTP2_NO_ERROR || code == NGHTTP2_INTERNAL_ERROR || code == NGHTTP2_ENHANCE_YOUR_CALM;
      if (!own && !self.abuse_) self.abuse_ = Abuse::protocol_error;
      // By itself nghttp2 asks for calm only if one SETTINGS frame has too many entries.
      const bool not_asked = code == NGHTTP2_ENHANCE_YOUR_CALM && !self.terminated_;
      if (not_asked && !self.abuse_) self.abuse_ = Abuse::settings;
    } else if (frame->hd.type == NGHTTP2_RST_STREAM) {
      self.remember(frame->hd.stream_id, true);
      const std::uint32_t code = frame->rst_stream.error_code;
      const bool own = code == NGHTTP2_NO_ERROR || code == NGHTTP2_INTERNAL_ERROR || code == NGHTTP2_CANCEL ||
                       code == NGHTTP2_ENHANCE_YOUR_CALM || (code == NGHTTP2_REFUSED_STREAM && self.announced_);
      if (!own) self.count(Abuse::provoked, self.now_);
    }
    return 0;
  }

  static ssize_t on_read(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t length, std::uint32_t* flags,
                         nghttp2_data_source* source, void* user) {
    if (of(user).abandoned_) return NGHTTP2_ERR_DEFERRED;
    const auto available = static_cast<StreamEvents*>(source->ptr)->available();
    const std::size_t size = std::min(length, available.size);
    if (size == available.size && available.last) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (size == 0) {
      return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    return static_cast<ssize_t>(size);
  }

  static int on_send_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* head, std::size_t length,
                          nghttp2_data_source* source, void* user) {
    Session& self = of(user);
    if (self.abandoned_) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (self.events_.full()) return NGHTTP2_ERR_WOULDBLOCK;
    auto& stream = *static_cast<StreamEvents*>(source->ptr);
    if (stream.available().size < length) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // reset meanwhile
    constexpr std::size_t kHeadSize = 9;
    self.events_.on_output(view(head, kHeadSize));
    stream.take(length, (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
    return 0;
  }

  static const nghttp2_session_callbacks* all() {
    static const nghttp2_session_callbacks* const set = [] {
      nghttp2_session_callbacks* callbacks = nullptr;
      if (nghttp2_session_callbacks_new(&callbacks) != 0) throw std::bad_alloc();
      nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
      nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
      nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
      nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
      return callbacks;
    }();
    return set;
  }
};

Session::Session(SessionEvents& events, const Limits& limits, std::uint64_t head_size)
    : events_(events), limits_(limits), head_size_(head_size), meter_(limits) {
  if (nghttp2_session_server_new3(&session_, Callbacks::all(), this, options(), session_memory()) != 0)
    throw std::bad_alloc();
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, static_cast<std::uint32_t>(limits.streams)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(head_size)},
      {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
}

Session::~Session() {
  nghttp2_session_del(session_);
}

// --- What comes ------------------------------------------------------------------------------------------------------

void Session::receive(std::string_view bytes, Time now) {
  if (terminated_) return;
  now_ = now;
  std::string_view rest = bytes;
  while (const auto frame = walker_.next(rest)) {
    // nghttp2 acts on the frame once it has the last byte of its head, and by then on all frames before.
    const std::size_t before = static_cast<std::size_t>(rest.data() - bytes.data()) - 1;
    feed(bytes.substr(0, before));
    if (over() || !inspect(*frame, now)) return;
    bytes.remove_prefix(before);
  }
  feed(bytes);
}

void Session::feed(std::string_view bytes) {
  if (bytes.empty()) return;
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  const std::size_t most = kQueuedMax + kQueuedOfStream * static_cast<std::size_t>(limits_.streams);
  if (taken == NGHTTP2_ERR_FLOODED || queued() > most) {
    if (!abuse_) abuse_ = Abuse::unread;
    terminate(ErrorCode::enhance_your_calm);
  } else if (taken < 0) {
    terminate(ErrorCode::protocol_error);
  }
}

bool Session::count(Abuse kind, Time now) {
  if (!meter_.note(kind, now)) return true;
  abuse_ = kind;
  return fail(ErrorCode::enhance_your_calm);
}

void Session::note(Abuse kind, Time now) {
  if (!abuse_) count(kind, now);
}

bool Session::fail(ErrorCode code) {
  terminate(code);
  return false;
}

StreamEvents* Session::stream(std::int32_t id) const {
  return abandoned_ ? nullptr : static_cast<StreamEvents*>(nghttp2_session_get_stream_user_data(session_, id));
}

Session::Closed Session::closed(std::int32_t stream) const {
  for (const std::uint32_t each : closed_) {
    if (each >> 1 == static_cast<std::uint32_t>(stream))
      return (each & 1u) != 0 ? Closed::reset_here : Closed::finished;
  }
  return Closed::unknown;
}

/// nghttp2 closes a stream right after it has sent the reset.
bool Session::has_just_reset(std::int32_t stream) const {
  return closed_[(closed_at_ + kRemembered - 1) % kRemembered] == (static_cast<std::uint32_t>(stream) << 1 | 1u);
}

void Session::remember(std::int32_t stream, bool reset_here) {
  closed_[closed_at_++ % kRemembered] = static_cast<std::uint32_t>(stream) << 1 | (reset_here ? 1u : 0u);
}

// --- What goes -------------------------------------------------------------------------------------------------------

void Session::produce(Time now) {
  now_ = now;
  while (!events_.full()) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size < 0) broken_ = true;
    if (size <= 0) break;
    events_.on_output(view(bytes, static_cast<std::size_t>(size)));
  }
}

std::size_t Session::queued() const {
  return nghttp2_session_get_outbound_queue_size(session_);
}

bool Session::over() const {
  return broken_ || (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0);
}

void Session::submit_interim(std::int32_t stream, const ResponseFields& head) {
  const auto& lines = lines_of(head, false);
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream, nullptr, lines.data(), lines.size(), nullptr);
}

void Session::submit_response(std::int32_t stream, StreamEvents& events, const ResponseFields& head, bool has_body) {
  const auto& lines = lines_of(head, responses_++ % kRenewName == 0);
  nghttp2_data_provider body{};
  body.source.ptr = &events;
  body.read_callback = Callbacks::on_read;
  nghttp2_submit_response(session_, stream, lines.data(), lines.size(), has_body ? &body : nullptr);
}

void Session::resume(std::int32_t stream) {
  nghttp2_session_resume_data(session_, stream);  // an error if it does not wait
}

void Session::reset(std::int32_t stream, ErrorCode code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, static_cast<std::uint32_t>(code));
}

void Session::consumed(std::int32_t stream, std::size_t size) {
  nghttp2_session_consume_stream(session_, stream, size);
}

void Session::consumed_by_connection(std::size_t size) {
  nghttp2_session_consume_connection(session_, size);
}

// --- The end ---------------------------------------------------------------------------------------------------------

void Session::announce_end() {
  announced_ = true;
  nghttp2_submit_shutdown_notice(session_);
}

void Session::end() {
  ended_ = true;
  last_ = nghttp2_session_get_last_proc_stream_id(session_);
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last_, NGHTTP2_NO_ERROR, nullptr, 0);
}

void Session::terminate(ErrorCode code) {
  terminated_ = true;
  nghttp2_session_terminate_session(session_, static_cast<std::uint32_t>(code));
}

}  // namespace spillway::http2
