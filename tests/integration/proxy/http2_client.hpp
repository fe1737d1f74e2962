#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

struct nghttp2_hd_deflater;
struct nghttp2_hd_inflater;

namespace spillway::test {

/// An entry of `listen` for clients with prior knowledge.
inline constexpr const char* kHttp2Listen = "{address: 127.0.0.1:0, http2: true}";

using Fields = std::vector<std::pair<std::string, std::string>>;

/// Types and flags of frames (RFC 9113, section 6).
namespace h2 {
inline constexpr int kData = 0, kHeaders = 1, kPriority = 2, kRst = 3, kSettings = 4, kPush = 5, kPing = 6, kGoaway = 7,
                     kWindowUpdate = 8, kContinuation = 9;
inline constexpr int kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8, kHasPriority = 32;
inline constexpr int kNoError = 0, kProtocolError = 1, kInternalError = 2, kFlowControlError = 3, kStreamClosed = 5,
                     kFrameSizeError = 6, kRefusedStream = 7, kCancel = 8, kCompressionError = 9, kEnhanceYourCalm = 11;
}  // namespace h2

struct Frame {
  int type = -1;  ///< -1: none came, the connection has ended
  int flags = 0;
  std::uint32_t stream = 0;
  std::string payload;

  std::uint32_t number(std::size_t at) const;
};

/// What has come on a stream.
struct H2Reply {
  std::vector<Fields> interim;
  Fields fields;
  Fields trailers;
  std::string body;
  bool whole = false;   ///< END_STREAM
  int reset = -1;       ///< code of RST_STREAM; -1: none
  int goaway = -1;      ///< code of a GOAWAY that came meanwhile; -1: none
  bool closed = false;  ///< the connection has ended

  int status() const;
  std::string field(std::string_view name) const;
};

/// A client for valid and invalid frames. It opens windows for what it reads, unless told otherwise.
class H2Client {
 public:
  /// Connects, and sends preface and SETTINGS with these entries.
  explicit H2Client(const Proxy& proxy, std::vector<std::pair<int, std::uint32_t>> settings = {});
  /// Connects, and sends nothing.
  struct Silent {};
  H2Client(const Proxy& proxy, Silent);
  ~H2Client();
  H2Client(H2Client&&) noexcept;

  bool send(std::string_view bytes) { return wire_.send(bytes); }
  bool frame(int type, int flags, std::uint32_t stream, std::string_view payload = {});
  static std::string bytes_of(int type, int flags, std::uint32_t stream, std::string_view payload = {});
  std::string encode(const Fields& fields);

  /// A request's fields in front of `more`.
  static Fields request(std::string_view method, std::string_view path, const Fields& more = {});
  /// Sends a head on the next stream, and returns the stream.
  std::uint32_t start(const Fields& fields, bool end_stream = true);
  std::uint32_t start(std::string_view method, std::string_view path, bool end_stream = true) {
    return start(request(method, path), end_stream);
  }
  bool data(std::uint32_t stream, std::string_view bytes, bool end_stream = false) {
    window_ -= static_cast<std::int64_t>(bytes.size());
    return frame(h2::kData, end_stream ? h2::kEndStream : 0, stream, bytes);
  }
  bool reset(std::uint32_t stream, int code = h2::kCancel);
  std::uint32_t next_stream() const { return next_; }
  void skip_streams(std::uint32_t count) { next_ += 2 * count; }

  /// The next frame, whatever it is. Acknowledges SETTINGS.
  Frame read();
  /// The next frame of this type, of any stream or of this one; type -1: the connection has ended before.
  Frame read(int type, std::int64_t stream = -1);
  /// Reads until the stream has ended in one way or another.
  H2Reply receive(std::uint32_t stream);
  H2Reply get(std::string_view path) { return receive(start("GET", path)); }
  H2Reply request_with(const Fields& fields) { return receive(start(fields)); }
  H2Reply post(std::string_view path, std::string_view body, const Fields& more = {});
  /// The code of a RST_STREAM that has been read; -1: none.
  int reset_of(std::uint32_t stream) const {
    const auto found = streams_.find(stream);
    return found == streams_.end() ? -1 : found->second.reset;
  }
  /// Reads until GOAWAY, and returns its code; -1: the connection ended without.
  int goaway();
  /// Reads until the connection ends.
  bool ended();
  /// SETTINGS have been exchanged, and everything sent before was looked at.
  bool ping();
  void open_no_windows() { opens_windows_ = false; }
  /// What the proxy's windows allow to send: of the connection.
  std::int64_t window() const { return window_; }
  Wire& wire() { return wire_; }
  std::uint32_t last_stream() const { return last_stream_; }  ///< of the last GOAWAY
  const std::map<int, std::uint32_t>& settings() const { return settings_; }

 private:
  void note(const Frame& frame);
  Fields decode(std::string_view block);

  Wire wire_;
  nghttp2_hd_deflater* deflater_ = nullptr;
  nghttp2_hd_inflater* inflater_ = nullptr;
  std::uint32_t next_ = 1;
  std::map<std::uint32_t, H2Reply> streams_;
  std::string block_;
  int goaway_ = -1;
  std::uint32_t last_stream_ = 0;
  std::map<int, std::uint32_t> settings_;
  int pongs_ = 0;
  bool closed_ = false;
  bool opens_windows_ = true;
  std::int64_t window_ = 65'535;
};

}  // namespace spillway::test
