#include "proxy/relay/handshakes.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "proxy/relay/connection_table.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

using Result = telemetry::Handshake;

namespace {
/// How many connections to examine when a place is wanted; the oldest come first.
constexpr int kCandidatesMax = 8;
/// What a client gets that speaks plain HTTP to a TLS port.
constexpr std::string_view kPlainHttpAnswer =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 49\r\n"
    "Cache-Control: no-store\r\nConnection: close\r\n\r\nThis port speaks TLS. Use https:// instead of it\n";
}  // namespace

/// One client. Deletes itself in `Handshakes::over`, never while a wait is outstanding.
class Handshakes::Handshake final : public net::Deadline, public tls::HandshakeGate::Entry, public Handshakes::Hook {
 public:
  Handshake(Handshakes& all, tls::HandshakeGate& gate, Client c) : Entry(gate), client(std::move(c)), all_(all) {}

  void wait_readable() {
    waiting_ = true;
    client.transport.async_wait_readable([this](net::error_code error) { woken(error); });
  }
  /// Ends it now, or when its wait has ended.
  void end(Result result, const std::string& error = {}) {
    if (!waiting_) return all_.over(*this, result, error);
    result_ = result;
    client.transport.close();
  }
  void move_to(List& list) {
    if (list_) list_->erase(list_->iterator_to(*this));
    list_ = &list;
    list.push_back(*this);
  }
  void leave_list() {
    if (list_) list_->erase(list_->iterator_to(*this));
    list_ = nullptr;
  }
  void step();

  Client client;

 private:
  void on_deadline() override { end(Result::timeout); }

  void woken(net::error_code error) {
    waiting_ = false;
    if (result_) return all_.over(*this, *result_, {});
    if (error) return all_.over(*this, Result::gone, {});
    if (admitted()) {
      all_.gate_.goes_on(*this);
      move_to(all_.ready_);
      return all_.begin_turns();
    }
    move_to(all_.others_);
    all_.gate_.arrive(*this);
    all_.admit();
  }

  Handshakes& all_;
  List* list_ = nullptr;
  std::optional<Result> result_;  ///< how it ends, once its wait has ended
  bool waiting_ = false;
};

Handshakes::Handshakes(Worker& worker, ConnectionTable& table) : worker_(worker), table_(table) {}

Handshakes::~Handshakes() = default;

void Handshakes::configure() {
  const ProxyConfig& config = worker_.settings()->config;
  gate_.set_limit(static_cast<std::size_t>(std::max(config.limits.handshakes / config.workers, 1)));
}

void Handshakes::begin(Client client) {
  auto* const handshake = new Handshake(*this, gate_, std::move(client));
  ++count_;
  handshake->move_to(unheard_);
  worker_.timers().arm(*handshake, Clock::now() + worker_.settings()->config.timeouts.handshake);
  handshake->wait_readable();
}

bool Handshakes::close_one() {
  const bool flood = gate_.full();
  int candidates = 0;
  for (Handshake& oldest : unheard_) {
    if (++candidates > kCandidatesMax) break;
    if (!flood && oldest.client.transport.has_unread()) continue;
    oldest.move_to(others_);
    oldest.end(Result::evicted);
    return true;
  }
  // Those that wait are not read from: in a flood most of them have left.
  tls::HandshakeGate::Entry* const waiting = gate_.first_waiting();
  if (waiting) static_cast<Handshake*>(waiting)->end(Result::evicted);
  return waiting != nullptr;
}

/// Lets those in for whom there is a place.
void Handshakes::admit() {
  for (;;) {
    const auto next = gate_.next(Clock::now());
    if (!next.admitted) break;
    static_cast<Handshake*>(next.admitted)->move_to(ready_);
    begin_turns();
    if (next.evicted) static_cast<Handshake*>(next.evicted)->end(Result::evicted);
  }
  if (const auto at = gate_.next_at()) worker_.timers().arm(look_again_, *at);
}

void Handshakes::begin_turns() {
  if (std::exchange(turning_, true)) return;
  net::asio::post(worker_.executor(), [this] { turn(); });
}

/// One step. What else is ready on the loop comes before the next.
void Handshakes::turn() {
  turning_ = false;
  if (ready_.empty()) return;
  Handshake& first = ready_.front();
  first.move_to(others_);
  first.step();
  admit();
  if (!ready_.empty()) begin_turns();
}

void Handshakes::Handshake::step() {
  if (!client.transport.tls()) {
    auto session = client.handshake->accept();
    if (!session) return end(Result::failed, "no memory");
    client.transport.secure(std::move(session));
  }
  switch (client.transport.handshake_step()) {
    case tls::Step::done: {
      const tls::Session& session = *client.transport.tls();
      const bool newest = session.version() == "1.3";
      if (session.resumed()) return end(newest ? Result::resumed_1_3 : Result::resumed_1_2);
      return end(newest ? Result::ok_1_3 : Result::ok_1_2);
    }
    case tls::Step::wants_read:
      all_.gate_.waits_for_client(*this, Clock::now());
      return wait_readable();
    case tls::Step::wants_write:
      all_.gate_.waits_for_client(*this, Clock::now());
      waiting_ = true;
      return client.transport.async_wait_writable([this](net::error_code error) { woken(error); });
    case tls::Step::closed:
    case tls::Step::truncated:
      return end(Result::gone);
    case tls::Step::failed:
      break;
  }
  const tls::Session& session = *client.transport.tls();
  if (session.got_plain_http()) return end(Result::plain_http);
  end(session.system_error() != 0 ? Result::gone : Result::failed, session.error());
}

/// The handshake has ended: counts it, hands its client on, and lets the next one in.
void Handshakes::over(Handshake& handshake, Result result, const std::string& error) {
  handshake.disarm();
  handshake.leave_list();
  gate_.leave(handshake);
  Client client = std::move(handshake.client);
  client.handshake.reset();
  worker_.counters().tls_handshakes[static_cast<std::size_t>(result)].add();
  const std::string why = error;  // it may be the session's
  delete &handshake;
  --count_;
  worker_.heap().left_free(Clock::now());
  admit();
  if (telemetry::succeeded(result)) return table_.secured(std::move(client));
  if (result == Result::plain_http) {
    client.transport.give_up_tls();
    net::Gather output;
    output.add(kPlainHttpAnswer);
    net::error_code ignored;
    client.transport.write_now(output, ignored);
    client.transport.shutdown_send();
  }
  note(client, result, why);
  client.transport.close();
  worker_.finish_if_drained();
}

void Handshakes::note(const Client& client, Result result, const std::string& error) {
  if (result != Result::failed && result != Result::plain_http) return;
  if (!worker_.shared().handshake_news.due(Clock::now())) return;
  const std::string why = result == Result::plain_http ? "plain HTTP on a port that speaks TLS" : error;
  worker_.shared().log.info(fmt::format("TLS handshake of {} failed: {}", client.peer, why));
}

void Handshakes::drain(Duration patience) {
  for (List* list : {&unheard_, &ready_, &others_}) {
    for (Handshake& each : *list) worker_.timers().arm(each, Clock::now() + patience);
  }
}

void Handshakes::abort() {
  drain(Duration::zero());
}

}  // namespace spillway::relay
