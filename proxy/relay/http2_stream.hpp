#pragma once

#include <memory>
#include <string>

#include "proxy/http2/request_builder.hpp"
#include "proxy/http2/session.hpp"
#include "proxy/net/backlog.hpp"
#include "proxy/net/hooked_list.hpp"
#include "proxy/net/memory_budget.hpp"
#include "proxy/relay/client_stream.hpp"
#include "proxy/relay/failure.hpp"

namespace spillway::relay {

class Exchange;
class Http2Connection;
class Worker;

/// A stream in the list of its connection, and in that of those that something has happened to.
using Http2StreamHook = net::ListHook<class Http2StreamList>;
using Http2ReadyHook = net::ListHook<class Http2ReadyList>;

/// One request on an HTTP/2 connection. It lives until both the session has closed the stream and the exchange has
/// ended: a stream that the client resets stays until the API has answered. What the session tells is noted, and the
/// exchange is resumed by `proceed`, outside the session. Reused for the next request.
class Http2Stream final : public ClientStream,
                          public http2::StreamEvents,
                          private TunnelSide,
                          public Http2StreamHook,
                          public Http2ReadyHook {
 public:
  /// `session`: of TLS; null: none.
  Http2Stream(Worker& worker, Http2Connection& connection, std::string_view peer, const tls::Session* session);
  ~Http2Stream();
  Http2Stream(const Http2Stream&) = delete;

  // For the connection.

  /// A head begins.
  void begin(std::int32_t id, Time now);
  /// Carries out the request, and waits for the next one. The connection, which is told when one has ended, may destroy
  /// the stream.
  net::Task<> carry();
  /// Resumes the exchange if what it waits for has come.
  void proceed();
  /// The connection has ended.
  void lose();
  /// The time of a drain is over.
  void stop();
  void abort();
  /// It waits for its client, and its memory is needed: resets it, and ends the exchange.
  void give_up_waiting();
  /// It may be reused.
  bool over() const { return closed_ && !exchange_; }
  bool carried() const { return exchange_ != nullptr; }

  // For the session: StreamEvents.

  void on_field(std::string_view name, std::string_view value) override { builder_.add(name, value); }
  void on_head(bool end_stream) override;
  void on_data(std::string_view bytes) override;
  void on_trailer(std::string_view name, std::string_view value) override;
  void on_end() override;
  Available available() const override { return {kept_small_.size() + kept_.size() + pending_.size(), last_}; }
  void take(std::size_t size, bool end) override;
  void on_head_sent() override;
  void on_closed() override;

  // For the exchange: ClientStream.

  std::string_view raw_head() const override { return outline_; }
  std::string_view body() const override { return body_; }
  http::Violation decode_body() override;
  void consume_body() override;
  net::Task<std::size_t> read_body(std::size_t space) override;
  bool awaits_continue() const override;
  bool make_body_space(std::size_t limit) override;
  std::size_t body_memory() const override;
  void release_head() override { builder_.release(); }
  Sent write_interim(const http::ResponseHead& head, const HeadContext& context) override;
  void write_head(const http::ResponseHead& head, const HeadContext& context) override;
  Sent write_body(std::string_view payload, bool last) override;
  /// Not called: `write_body` never says `soon`, since the connection sends at the end of a turn itself.
  net::Task<Sent> await_sent() override { co_return flush(); }
  Sent flush() override;
  bool keep(std::size_t limit, bool always) override;
  /// Of an answer that has been given up something is left for ever.
  std::size_t unsent() const override {
    return kept_small_.size() + kept_.size() + pending_.size() + (given_up_ ? 1 : 0);
  }
  net::Task<> wait_writable() override;
  std::uint64_t taken() override { return taken_; }
  void watch(Watch what) override;
  void cancel() override;
  TunnelSide& upgrade() override;
  void lasts() override;
  void finish() override;
  void reset() override;

 private:
  bool arrived() const { return !incoming_.empty() || ended_ != body_complete_ || violation_; }
  bool all_sent() const { return unsent() == 0 && heads_ == 0 && (!last_ || end_sent_); }
  Sent sent() const;
  void malformed(const char* rule);
  void proceed_in_tunnel();

  // TunnelSide. `cancel` is both.
  void observe(TunnelSide::Observer* observer) override { tunnel_ = observer; }
  std::string_view at_hand() override { return body_; }
  void consume() override { consume_body(); }
  void start_read() override;
  bool reading() const override { return tunnel_reads_; }
  net::error_code read_error() const override { return read_error_; }
  bool write_now(net::Gather& output, net::error_code& error) override;
  void await_room() override;
  void shutdown_send() override;
  void give_back(std::size_t size);
  void settle();
  std::size_t memory() const;
  void count(std::size_t memory);
  bool begins_to_wait();
  void goes_on();
  bool end();

  Worker& worker_;
  Http2Connection& connection_;
  http2::RequestBuilder builder_;
  http2::ResponseFields fields_;
  std::unique_ptr<Exchange> exchange_;
  std::string incoming_;  ///< payload that has come since the last `decode_body`
  std::string body_;
  std::string outline_;             ///< of a head that is no request
  std::string websocket_key_;       ///< sixteen bytes, in base 64
  std::string kept_small_;          ///< output that has been kept: goes out first, and takes no block
  net::Backlog kept_;               ///< and what does not fit there: goes out before `pending_`
  net::MemoryShare output_memory_;  ///< of both
  std::size_t unpaid_ = 0;          ///< bytes of both beyond `limits.buffered`
  std::string_view pending_;        ///< output in the exchange's memory
  std::size_t counted_ = 0;         ///< bytes of memory in `limits.http2.memory`
  net::Parking reading_, writing_;
  net::Parking starting_;                   ///< where `carry` waits for the next request
  TunnelSide::Observer* tunnel_ = nullptr;  ///< once upgraded
  std::size_t handed_ = 0;                  ///< of the tunnel's output, as `write_now` has left it
  net::error_code read_error_;              ///< of the tunnel's last read

  std::int32_t id_ = 0;
  Time began_{};
  Failure failure_;            ///< of the head
  http::Violation violation_;  ///< of the body
  const char* trailer_rule_ = nullptr;
  std::uint64_t arrived_size_ = 0;  ///< of the body
  std::uint64_t taken_ = 0;
  int heads_ = 0;  ///< heads of responses that have not gone out yet
  Watch watch_ = Watch::off;
  bool started_ = false;    ///< the exchange
  bool ended_ = false;      ///< the client sends no more
  bool closed_ = false;     ///< the session has forgotten it
  bool gone_ = false;       ///< the client has reset it, or left
  bool tell_gone_ = false;  ///< the exchange has not heard of that
  bool malformed_ = false;  ///< reset for it: nothing is answered
  bool given_up_ = false;   ///< reset because there is no memory for its answer
  bool waits_ = false;      ///< the exchange waits for the client
  bool waited_ = false;     ///< it has
  bool refused_ = false;    ///< to be reset, so that the client sends it elsewhere
  bool cancelled_ = false;
  bool head_pending_ = false;  ///< in `fields_`, and has not been submitted
  bool response_begun_ = false;
  bool last_ = false;      ///< no output follows what there is
  bool end_sent_ = false;  ///< and that has gone out
  bool lasts_ = false;
  bool upgraded_ = false;
  bool tunnel_reads_ = false;
  bool tunnel_awaits_room_ = false;
  bool retired_ = false;  ///< it carries out no further request
};

}  // namespace spillway::relay
