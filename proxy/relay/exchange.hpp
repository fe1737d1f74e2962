#pragma once

#include <memory>
#include <optional>
#include <string>

#include "proxy/http/message.hpp"
#include "proxy/http1/body_decoder.hpp"
#include "proxy/http1/head_scanner.hpp"
#include "proxy/net/flow_block.hpp"
#include "proxy/net/timer_wheel.hpp"
#include "proxy/relay/arriving_bodies.hpp"
#include "proxy/relay/client_stream.hpp"
#include "proxy/relay/failure.hpp"
#include "proxy/relay/gate.hpp"
#include "proxy/relay/own_response.hpp"
#include "proxy/relay/settings.hpp"
#include "proxy/relay/slow_clients.hpp"
#include "proxy/tracing/ids.hpp"
#include "proxy/upstream/connect_race.hpp"

namespace spillway::relay {

class Worker;

/// What the log tells of a request, copied: the head's views end before the line is written. Bounded, valid UTF-8.
struct LoggedHead {
  std::string host, user_agent, client_request_id;
  std::string method, target;  ///< of a head that is no request, as far as they can be made out

  /// Keeps all capacity.
  void clear() {
    for (std::string* text : {&host, &user_agent, &client_request_id, &method, &target}) text->clear();
  }
};

/// One request's way through the proxy, from its head to the last byte of its response: see `run`. Knows its client as
/// a `ClientStream` only. Has one deadline: it waits for one thing at a time.
///
/// Workers keep spare ones, so that their strings and vectors are allocated once and an idle connection carries none:
/// `begin` and `run` once for each request. Must not be destroyed while `run` is under way. One loop's.
class Exchange final : public net::Deadline,
                       public SlotHolder,
                       public ArrivingBody,
                       public ClientStream::Observer,
                       private net::Stream::Observer {
 public:
  explicit Exchange(Worker& worker);
  Exchange(const Exchange&) = delete;

  /// A request begins. `client` must outlive `run`.
  void begin(ClientStream& client, const std::shared_ptr<const Settings>& settings, Time now);
  /// Carries out the request whose head stands in `request`, or answers with `failure`, if its head has one. When it
  /// returns, the client's stream has been finished or reset, and the exchange has been counted.
  net::Task<> run(Failure failure);

  const Settings& settings() const { return *settings_; }
  Time began() const { return began_; }
  http::RequestHead& request() { return request_; }
  /// Memory for what the client's stream writes; its until `run` has returned.
  std::string& text() { return to_client_; }

  /// Bytes of memory that it takes beside its own.
  std::size_t memory() const;

  /// The time of a drain is over: ends a tunnel in order, cuts an event stream, and refuses a request whose response
  /// has not begun.
  void stop();
  /// Ends all waits; the client's stream has been cut.
  void abort();

 private:
  /// Rates that clients must keep are means over this time, as `limits.min_rate` says.
  static constexpr Duration kPaceMean = std::chrono::seconds(5);

  // The stages, in order; each says how it failed.
  Failure receive();
  Failure ask_for_slot();
  net::Task<Failure> wait_for_slot();
  net::Task<Failure> gather_body();
  net::Task<Failure> await_body();
  Failure prepare_request();
  net::Task<Failure> forward(bool fresh);
  bool reuse_connection();
  net::Task<Failure> connect();
  Failure gather_request();
  net::Task<Failure> upload();
  bool read_response_head(Failure& failure);
  net::Task<Failure> relay_response();
  net::Task<Failure> tunnel();
  net::Task<> answer(Failure failure);

  // exchange.cpp: who asks, and the slot.
  telemetry::Protocol protocol() const;
  void identify();
  void find_client();
  Failure came_back();
  void look_at_reader();
  void look_at_deadline();
  void admitted();
  void release_slot();
  void would_refuse(admission::Reason reason) { would_refuse_ = reason; }

  // exchange_upload.cpp: the request's body.
  bool body_at_hand() const;
  Failure decode_body();
  net::Task<Failure> send_continue();
  bool make_body_space();
  void gather_upload();
  net::Task<Failure> await_upload();
  net::Pipe* upload_pipe();
  void write_upstream();
  void wrote_upstream(std::size_t size, net::error_code error);
  net::Task<> flush_upstream();
  bool answered_early() const;
  std::size_t unsent() const { return output_.size() + (upload_pipe_ ? upload_pipe_->held() : 0); }
  void hold_slot_for_client();

  // exchange_upstream.cpp: the connection to the API.
  enum class Started : std::uint8_t {
    yes,
    later,     ///< once an attempt that was given up has ended
    unusable,  ///< the address
    refused,   ///< no connection is left
  };
  Started start_connect(const upstream::Endpoint& endpoint, upstream::ConnectRace& race, net::error_code& error);
  void stop_connecting();
  Failure read_failure(bool nothing_came) const;
  bool waits_for_client() const;
  net::Task<Failure> pass_on_interim();
  bool switches_protocol() const;
  bool fakes_upgrade() const;
  void watch_client(ClientStream::Watch what);
  void return_upstream();
  void drop_upstream();
  void note_tls(std::string_view fault);

  // exchange_response.cpp: the response.
  std::string_view missing_date();
  net::Pipe* body_pipe();
  net::Task<Failure> splice_body(net::Pipe& pipe);
  void take_load_report();
  bool stopped() const { return lasts_ && ending_; }
  void upstream_done(std::size_t consumed);
  admission::Completion completion() const;
  void forget_request();
  bool keep_output(bool last);
  net::Task<Failure> await_client();
  net::Task<Failure> deliver_kept();
  net::Task<Failure> flush_client();
  void begin_stream();
  void make_own_response(const Failure& failure, const Answer& answer);
  void tunnel_ended(const class Tunnel& tunnel);

  // exchange_account.cpp.
  void note_head();
  void note_error(std::string_view connection, net::error_code error);
  void trace(int status, telemetry::Outcome outcome, std::string_view reason, Time now);
  void account(int status, telemetry::Outcome outcome, std::string_view reason);
  void log(int status, telemetry::Outcome outcome, std::string_view reason, Time now);

  void arm(Time from, Duration timeout);
  void on_deadline() override;
  void on_client_gone() override;
  void on_unawaited_read(net::Stream& upstream) override;
  void look(Time now) override;
  void take_slot_back() override;
  void take_memory_back() override;

  Worker& worker_;
  ClientStream* client_ = nullptr;
  std::shared_ptr<const Settings> settings_;
  Time began_{}, arrived_{}, sent_{};
  Time asked_{};     ///< when the way to the API began, if spans are recorded
  Time answered_{};  ///< when the API had answered, or had been given up after it was asked
  Duration queue_wait_{};

  // The request.
  http::RequestHead request_;  ///< its views are good until the head is released
  std::string request_id_;
  tracing::Traceparent traceparent_{};
  tracing::SpanId caller_span_{};     ///< if the trace is continued and its spans are recorded
  std::string_view method_, target_;  ///< in the client's head, later in `to_upstream_`, then in `line_`
  std::string line_;                  ///< what is kept of a request whose client takes its time
  std::string_view client_address_;   ///< of the peer, or in `told_client_`
  std::string told_client_;           ///< by a trusted peer
  std::string_view told_scheme_;      ///< by a trusted peer
  std::string told_host_;             ///< by a trusted peer
  LoggedHead logged_;
  int class_index_ = 0;
  bool received_ = false;  ///< its head was sound
  bool trusted_peer_ = false;
  bool continued_ = false;             ///< its trace
  bool traced_ = false;                ///< its spans are recorded
  bool wants_html_ = false;            ///< a browser asks
  bool preflight_ = false;             ///< `refusals.cors` is set: the proxy answers if the API cannot
  std::string preflight_headers_;      ///< that it asks for
  const WebOrigin* origin_ = nullptr;  ///< in `settings_`; null: not allowed by `refusals.cors`

  // Its slot.
  Ticket ticket_;
  std::optional<Permit> permit_;
  admission::Reason refused_for_ = admission::Reason::capacity;
  std::optional<admission::Reason> would_refuse_;  ///< after its admission, were the mode `enforce`
  Pace pace_{0, {}};                               ///< of the client, against `limits.min_rate`
  bool slot_taken_back_ = false;
  bool memory_taken_back_ = false;

  // Towards the API.
  upstream::ConnectionPool::Lease upstream_;
  upstream::ConnectRace* race_ = nullptr;   ///< while connecting
  bool client_left_ = false;                ///< while nothing of the API was awaited, or the process cuts what is open
  std::string to_upstream_;                 ///< the head as it goes to the API
  std::string chunk_;                       ///< size line of the chunk in `output_`
  net::Gather output_;                      ///< what the API has not taken yet
  std::unique_ptr<net::Pipe> upload_pipe_;  ///< what goes out behind `output_`; null: nothing
  bool request_written_ = false;            ///< at least a byte of it
  bool upload_blocked_ = false;             ///< the API takes no more for now; else the client is waited for
  bool upload_cut_ = false;                 ///< the API stopped reading: its answer, if any, is final
  int retries_ = 0;
  std::string upstream_name_;   ///< of the connection that was used last, for the log
  int upstream_status_ = 0;     ///< of the API's head that was read last
  std::string error_;           ///< why connections to the API failed
  std::string_view rule_ = {};  ///< that a message broke

  // Towards the client.
  http::HeadScanner response_scanner_{http::HeadScanner::Kind::response};
  http::ResponseHead response_;
  std::size_t response_head_size_ = 0;  ///< bytes of the head at the front of the API's input buffer
  http::BodyDecoder download_;
  net::FlowBlock download_block_;  ///< of the API's input buffer
  OwnResponse own_response_;
  std::string to_client_;    ///< lent to the client's stream
  std::uint64_t taken_ = 0;  ///< bytes that the client had taken at the last look
  std::uint64_t bytes_out_ = 0;
  std::uint64_t tunneled_in_ = 0;
  bool api_sheds_ = false;  ///< by the response's head
  bool response_started_ = false;

  bool timed_out_ = false;
  bool ending_ = false;  ///< told to end
  bool over_ = false;    ///< how it ends is decided
  bool lasts_ = false;   ///< the answer is a tunnel or an event stream
};

}  // namespace spillway::relay
