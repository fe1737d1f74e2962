#pragma once

#include <memory>
#include <string>

#include "proxy/http1/body_decoder.hpp"
#include "proxy/http1/head_scanner.hpp"
#include "proxy/net/backlog.hpp"
#include "proxy/net/flow_block.hpp"
#include "proxy/net/memory_budget.hpp"
#include "proxy/relay/client_stream.hpp"
#include "proxy/relay/settings.hpp"

namespace spillway::relay {

class Connection;
class Worker;

/// HTTP/1 on a client's connection, one request after the other. The request's head and body stay in the connection's
/// input buffer, in this order: the head (until `release_head`), the decoded payload, bytes not yet decoded.
class Http1Stream final : public ClientStream, private net::Stream::Observer {
 public:
  /// What becomes of the connection after a request.
  enum class End : std::uint8_t {
    keep_alive,
    drain_body,  ///< keep_alive, once the rest of the request's body has been read
    close,
    linger,  ///< close, but read on for a moment: closing over unread input resets what is on its way to the client
    reset,   ///< so that a cut body does not pass for a whole one
  };

  /// `stream` and `peer` are of the connection it is a part of.
  Http1Stream(Worker& worker, Connection& connection, net::Stream& stream, std::string_view peer);
  Http1Stream(const Http1Stream&) = delete;

  // For the connection.

  /// A request begins. It is parsed into `request`, and heads of responses are written to `text`: both belong to the
  /// exchange, which keeps their memory for the next request. All arguments must stay until the exchange has ended.
  void begin(ClientStream::Observer& exchange, const Settings& settings, http::RequestHead& request, std::string& text);
  /// Looks at the bytes of the head that have come. False: more are needed.
  bool scan_head(http::Violation& violation);
  /// The head is complete.
  http::Violation parse_head();
  /// Reads what has come of the rest of a request's body.
  http::Violation skip_body();
  /// Gives the memory of a large body back, once nothing of it is left.
  void shrink_input();
  /// No further request is wanted on this connection.
  void refuse_next() { refuses_next_ = true; }
  End end() const { return end_; }

  // For the exchange: ClientStream.

  std::string_view raw_head() const override { return stream_.in.view(); }
  std::string_view body() const override;
  http::Violation decode_body() override;
  void consume_body() override;
  net::Task<std::size_t> read_body(std::size_t space) override;
  std::uint64_t spliceable() const override;
  net::Task<std::size_t> splice_body(net::Pipe& pipe) override;
  bool awaits_continue() const override;
  bool make_body_space(std::size_t limit) override;
  std::size_t body_memory() const override { return input_memory_.size(); }
  void release_head() override;
  Sent write_interim(const http::ResponseHead& head, const HeadContext& context) override;
  void write_head(const http::ResponseHead& head, const HeadContext& context) override;
  Sent write_body(std::string_view payload, bool last) override;
  net::Task<Sent> await_sent() override;
  net::Pipe* pipe(std::size_t limit) override;
  Sent flush() override;
  bool keep(std::size_t limit, bool always) override;
  std::size_t unsent() const override { return backlog_.size() + output_.size() + piped(); }
  net::Task<> wait_writable() override;
  std::uint64_t taken() override { return stream_.transport().taken(); }
  void watch(Watch what) override;
  void cancel() override { stream_.cancel(); }
  TunnelSide& upgrade() override;
  void lasts() override;
  void finish() override;
  void reset() override;

 private:
  void on_unawaited_read(net::Stream& stream) override;
  void on_writable(net::Stream& stream) override;
  void on_hang_up(net::Stream& stream) override;

  std::size_t piped() const { return pipe_ ? pipe_->held() : 0; }
  void flush_backlog();
  bool may_wait_for_answer();
  bool next_is_welcome() const;
  bool rest_is_small();
  void tell_gone();
  void end_as(End end);

  Worker& worker_;
  Connection& connection_;
  net::Stream& stream_;
  net::MemoryShare input_memory_;            ///< of `stream_.in`, beyond a block
  net::FlowBlock upload_block_;              ///< of `stream_.in`
  net::Backlog backlog_;                     ///< output that has been kept: goes out before `output_`
  net::MemoryShare output_memory_;           ///< of `backlog_`
  std::unique_ptr<StreamSide> tunnel_side_;  ///< once upgraded
  net::Parking writable_;                    ///< where the exchange waits for the client to take more
  bool refuses_next_ = false;

  // Of the current request.
  ClientStream::Observer* exchange_ = nullptr;
  const Settings* settings_ = nullptr;
  http::RequestHead* request_ = nullptr;
  std::string* text_ = nullptr;  ///< head, and small pieces of the body with it
  http::HeadScanner head_scanner_{http::HeadScanner::Kind::request};
  http::BodyDecoder decoder_;
  std::size_t head_size_ = 0;  ///< bytes of the head at the front of the input buffer, until it is released
  std::size_t payload_ = 0;    ///< decoded bytes behind the head
  std::size_t held_ = 0;       ///< bytes behind the head that the payload was decoded from
  net::Gather output_;         ///< what the socket has not taken yet; points into `text_` and the caller's payload
  std::unique_ptr<net::Pipe> pipe_;              ///< what goes out behind `output_`; null: nothing
  std::size_t ahead_ = 0;                        ///< bytes of the response that have gone out before there was one
  http::Framing framing_ = http::Framing::none;  ///< of the response's body
  Watch watch_ = Watch::off;
  End end_ = End::close;
  bool parsed_ = false;
  bool head_pending_ = false;  ///< the response's head is in `text_` and has not been sent
  bool response_begun_ = false;
  bool made_here_ = false;   ///< the response
  bool keep_alive_ = false;  ///< the response told the client that the connection stays open
  bool upgraded_ = false;
  bool lost_ = false;  ///< kept output could not be sent
};

}  // namespace spillway::relay
