#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/http/message.hpp"
#include "proxy/net/pipe.hpp"
#include "proxy/net/stream.hpp"
#include "proxy/relay/tunnel.hpp"

namespace spillway::relay {

/// The client's side of one request: all that an exchange knows of its client, whatever the version of HTTP.
/// An exchange reads the body, writes a response, and calls `finish` or `reset` as its last act. One loop's.
class ClientStream {
 public:
  /// The exchange.
  class Observer {
   public:
    /// The client seems to have left. Called while the stream is watched, and when kept output cannot be sent; never
    /// while the exchange waits in `read_body` or `wait_writable`.
    virtual void on_client_gone() = 0;

   protected:
    ~Observer() = default;
  };

  /// What the exchange waits for, and so what it means when the client ends its side.
  enum class Watch : std::uint8_t {
    off,     ///< nobody is told
    queue,   ///< a slot. A client that ends its side before the request is complete has left
    upload,  ///< the API takes the request. The exchange reads the body, so the end of an incomplete one is not told
    answer,  ///< the API answers
    events,  ///< the API sends events, maybe none for hours. A client that ends its side has left
  };

  /// What has become of output.
  enum class Sent : std::uint8_t {
    all,
    blocked,
    failed,
    soon,  ///< at the end of the loop's turn; `await_sent` tells what came of it
  };

  struct HeadContext {
    std::string_view request_id;
    std::string_view date = {};  ///< to be added, as the final response has none; empty: none is
    bool made_here = false;      ///< by the proxy itself
    bool faulty = false;         ///< the client broke a rule or was late: no further request of it is wanted
    bool draining = false;       ///< refused because the process ends: the client may send it elsewhere
  };

  std::string_view peer() const { return peer_; }
  /// Address of the balancer that has told `peer` in a PROXY header, which must stay; empty: `peer` is the other end.
  std::string_view balancer() const { return balancer_; }
  void told_by(std::string_view balancer) { balancer_ = balancer; }
  /// What has come of a head that is malformed or incomplete, if this version of HTTP has it as text.
  virtual std::string_view raw_head() const { return {}; }
  /// The client's connection is encrypted.
  bool secure() const { return secure_; }
  /// The certificate that the client has shown; null: none.
  const tls::PeerCertificate* certificate() const { return certificate_; }
  std::string_view certificate_subject() const {
    return certificate_ ? std::string_view(certificate_->subject) : std::string_view();
  }

  // The request's body. A view of the body or the head is good until the next call that is not const.

  /// All of the body has been decoded; its end was found.
  bool body_complete() const { return body_complete_; }
  /// Bytes of payload decoded so far.
  std::uint64_t body_received() const { return body_received_; }
  /// Payload that has been decoded and not consumed.
  virtual std::string_view body() const = 0;
  /// Decodes what has come since.
  virtual http::Violation decode_body() = 0;
  /// Forgets the payload at hand, and gives the memory of a large one back.
  virtual void consume_body() = 0;
  /// Waits for more of the body, `space` bytes at most but 1 at least. 0: none will come, or the wait was cancelled.
  virtual net::Task<std::size_t> read_body(std::size_t space) = 0;
  /// Bytes of a large body that nobody has to look at, and that come next. 0: read it.
  virtual std::uint64_t spliceable() const { return 0; }
  /// As `read_body`, but at most `spliceable` bytes, into the pipe, which is empty. They count as received; `body` does
  /// not have them.
  virtual net::Task<std::size_t> splice_body(net::Pipe& /*pipe*/) { co_return 0; }
  /// The client sends the body only once it is told to continue.
  virtual bool awaits_continue() const = 0;
  /// Makes room for more of the body behind the payload at hand, out of `limit` bytes for all bodies together.
  /// The request's head may move: its views change. False: the memory is used up.
  virtual bool make_body_space(std::size_t limit) = 0;
  /// Memory that the body takes out of that limit.
  virtual std::size_t body_memory() const = 0;
  /// The head's views end here, except what the caller has copied.
  virtual void release_head() = 0;

  // The response.

  /// Sends an informational head, if the client's version of HTTP has them.
  virtual Sent write_interim(const http::ResponseHead& head, const HeadContext& context) = 0;
  /// The head goes out with the first piece of the body. May be called again before that.
  virtual void write_head(const http::ResponseHead& head, const HeadContext& context) = 0;
  /// Sends a piece of the body; `last` ends the response. `soon`: the payload has been copied, and the caller awaits
  /// `await_sent` before anything else of the response. `blocked`: `payload` must stay until `flush` has sent the rest,
  /// or `keep` has copied it.
  virtual Sent write_body(std::string_view payload, bool last) = 0;
  /// Sends what `write_body` has left for the end of the turn, and waits for that. Never `soon`.
  virtual net::Task<Sent> await_sent() = 0;
  /// A pipe whose bytes `flush` sends behind all others, if those of the body go out as they are; good until the
  /// response ends. It takes memory out of `limit` bytes. Null: the body has to be written.
  virtual net::Pipe* pipe(std::size_t /*limit*/) { return nullptr; }
  /// Sends what is left.
  virtual Sent flush() = 0;
  /// Copies what is left, and sends it as the client takes it. At most `limit` bytes may be kept for all clients
  /// together, 0 for none; `always` exceeds it. False: nothing has been copied.
  virtual bool keep(std::size_t limit, bool always) = 0;
  /// Bytes that have been written and not sent.
  virtual std::size_t unsent() const = 0;
  /// Waits until the client takes more, or the wait is cancelled.
  virtual net::Task<> wait_writable() = 0;
  /// Bytes that have reached the client, as far as can be told. Only differences mean something.
  virtual std::uint64_t taken() = 0;

  // Its life.

  virtual void watch(Watch what) = 0;
  /// Ends what the exchange waits for here.
  virtual void cancel() = 0;
  /// After a 101: bytes are bytes from here on. The caller reads and writes them itself until `finish` or `reset`.
  virtual TunnelSide& upgrade() = 0;
  /// The response is a stream: a drain ends it with the tunnels.
  virtual void lasts() = 0;
  /// The response has been sent, or kept.
  virtual void finish() = 0;
  /// There is no whole response. The client learns so, if a part has been sent.
  virtual void reset() = 0;

 protected:
  /// `session`: of its connection; null: it is plain.
  ClientStream(std::string_view peer, const tls::Session* session)
      : peer_(peer), certificate_(session ? session->peer() : nullptr), secure_(session != nullptr) {}
  ~ClientStream() = default;

  std::string_view peer_;  ///< address without port; empty for a unix socket
  std::string_view balancer_;
  const tls::PeerCertificate* certificate_;
  std::uint64_t body_received_ = 0;
  bool body_complete_ = false;
  bool secure_;
};

}  // namespace spillway::relay
