#pragma once

#include <memory>
#include <string>

#include <boost/intrusive/list.hpp>

#include "proxy/net/backlog.hpp"
#include "proxy/net/memory_budget.hpp"
#include "proxy/net/stream.hpp"
#include "proxy/net/timer_wheel.hpp"
#include "proxy/relay/exchange.hpp"
#include "proxy/relay/idle_connection.hpp"
#include "proxy/relay/slow_clients.hpp"

namespace spillway::relay {

class Worker;

/// Places a session in one of its worker's lists.
using SessionHook = boost::intrusive::list_base_hook<boost::intrusive::tag<class SessionList>,
                                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// One client connection. Its life is the coroutine `run`: wait for a request, carry it out (`exchange`), and again.
/// A diagram of a request's life is in proxy/README.md.
class Session final : public net::Deadline, public net::Stream::Observer, public SlotHolder, public SessionHook {
 public:
  using WorkerHook = SessionHook;
  Session(Worker& worker, Client client);
  ~Session();
  Session(const Session&) = delete;

  /// Serves one connection until either side ends it, or it rests.
  static net::Task<> serve(Worker& worker, Client client);

  void unlink_from_worker() { SessionHook::unlink(); }
  /// Gives a warm connection's buffer back early.
  void cool();
  /// Ends an idle connection (the worker drains, or another one needs its place) or a tunnel (the drain is over).
  void end_idle();
  /// A request is on its way to an idle connection already.
  bool bytes_wait() { return client_.bytes_wait(); }
  /// Closes an idle connection, even if a request comes meanwhile.
  void make_room();
  /// Ends the wait for the rest of a head with 408: others need the memory.
  void give_way();
  /// What its unfinished head takes; 0 if there is none.
  std::size_t head_memory() const { return head_memory_; }
  /// Sets it; what it was before.
  std::size_t take_head_memory(std::size_t bytes) { return std::exchange(head_memory_, bytes); }
  /// Cuts the connection, whatever it does.
  void abort();
  /// Ends the exchange of a slow client, whose slot another needs.
  void take_slot_back();

 private:
  /// Rates that clients must keep are means over this time, as `limits.min_rate` says.
  static constexpr Duration kPaceMean = std::chrono::seconds(5);

  /// What becomes of the connection after an exchange.
  enum class After : std::uint8_t {
    keep_alive,
    rest,  ///< no request for a moment: goes on as an IdleConnection
    close,
    linger,  ///< close, but read on for a moment: closing over unread input resets what is on its way to the client
    reset,   ///< so that a cut body does not pass for a whole one
  };

  net::Task<After> await_request();
  net::Task<After> exchange();

  // The stages of an exchange, in order; each says how it failed.
  bool scan_head(Failure& failure);
  net::Task<Failure> read_head();
  net::Task<Failure> read_rest_of_head();
  Failure parse_head();
  Failure ask_for_slot();
  net::Task<Failure> wait_for_slot();
  net::Task<Failure> gather_body();
  net::Task<Failure> forward(bool fresh);
  bool reuse_connection();
  net::Task<Failure> connect();
  Failure send_head();
  net::Task<Failure> upload();
  net::Task<Failure> read_response_head();
  net::Task<Failure> relay_response();
  net::Task<After> tunnel();
  net::Task<After> answer(Failure failure);

  // Parts of stages.
  void identify();
  Failure prepare_request();
  Failure decode_upload();
  void gather_upload();
  void gather_download(std::string_view payload, bool last);
  net::Task<Failure> pass_on_informational();
  void admitted();
  bool body_at_hand() const;
  net::Task<Failure> say_continue();
  net::Task<Failure> await_upload();
  bool grow_input();
  void shrink_input();
  void give_slot_back();
  void stream_with_slot();
  admission::Completion completion() const;
  void would_refuse(admission::Reason reason) { x_->would_refuse = reason; }
  bool keep_output(bool last);
  void flush_backlog();
  net::Task<Failure> await_client();
  net::Task<Failure> deliver_backlog();
  bool may_be_there();
  void client_left();
  void write_upstream();
  net::Task<> flush_upstream();
  bool write_client(Failure& failure);
  net::Task<Failure> flush_client();
  Failure read_failure(bool nothing_came) const;
  bool answered_early() const;
  bool switches_protocol() const;
  After tunnel_ended(const class Tunnel& tunnel);
  void return_upstream();
  void drop_upstream();
  bool may_stay() const;
  bool request_body_is_small();
  net::Task<bool> drain_request_body();
  net::Task<> linger();
  void account(int status, telemetry::Outcome outcome, std::string_view reason);
  void log(int status, telemetry::Outcome outcome, std::string_view reason, Time now);

  void arm(Time from, Duration timeout);
  void on_deadline() override;
  void on_unawaited_read(net::Stream& stream) override;
  void on_writable(net::Stream& stream) override;
  void on_hang_up(net::Stream& stream) override;
  void look(Time now) override;

  Worker& worker_;
  net::Stream client_;
  std::string peer_;
  ConnectionCount counted_;
  std::unique_ptr<Exchange> x_;  ///< while a request is at hand, and for a moment after
  upstream::Pool::Lease upstream_;
  net::MemoryShare input_memory_;   ///< of `client_.in`, beyond a block
  net::Backlog backlog_;            ///< of the answer: goes out before `x_->output`
  net::MemoryShare output_memory_;  ///< of `backlog_`
  net::Parking room_;               ///< until the client takes more of the answer
  std::uint64_t taken_ = 0;         ///< bytes that the client had taken at the last look
  Pace pace_{0, {}};                ///< of the client, against `limits.min_rate`
  bool timed_out_ = false;
  bool taken_back_ = false;   ///< the slot
  bool client_lost_ = false;  ///< a write of the backlog has failed
  bool flushing_ = false;     ///< a part of the output has gone to the client
  bool ending_ = false;       ///< told to end
  std::size_t head_memory_ = 0;
  bool gives_way_ = false;  ///< told to, for want of memory: closed without lingering
  bool closing_ = false;    ///< even if a request is on its way
};

}  // namespace spillway::relay
