#include "proxy/relay/exchange.hpp"

#include <algorithm>

#include "proxy/classify/client_address.hpp"
#include "proxy/classify/client_key.hpp"
#include "proxy/http/event_stream.hpp"
#include "proxy/http/forwarding.hpp"
#include "proxy/relay/refusal_page.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

namespace {
telemetry::Outcome outcome_of(int status) {
  if (status < 400) return telemetry::Outcome::ok;
  return status < 500 ? telemetry::Outcome::client_error : telemetry::Outcome::upstream_error;
}
}  // namespace

Exchange::Exchange(Worker& worker)
    : worker_(worker), ticket_(worker.executor()), download_block_(worker.shared().buffered) {}

/// Keeps all capacity.
void Exchange::begin(ClientStream& client, const std::shared_ptr<const Settings>& settings, Time now) {
  client_ = &client;
  if (settings_ != settings) settings_ = settings;  // counting references costs two locked operations
  began_ = now;
  arrived_ = sent_ = answered_ = {};
  queue_wait_ = {};
  request_id_.clear();
  told_host_.clear();
  method_ = target_ = told_scheme_ = rule_ = {};
  client_address_ = client.peer();
  logged_.clear();
  upstream_name_.clear();
  error_.clear();
  upstream_status_ = 0;
  class_index_ = 0;
  asked_ = {};
  received_ = continued_ = traced_ = trusted_peer_ = wants_html_ = preflight_ = false;
  origin_ = nullptr;
  ticket_.state = admission::Request::State::fresh;
  ticket_.shadow_refused = false;
  ticket_.in_flight = ticket_.limit = 0;
  ticket_.key = 0;
  ticket_.deadline = Time::max();
  ticket_.sent = ticket_.answered = {};
  ticket_.used_database.reset();
  ticket_.client_error = false;
  permit_.reset();
  would_refuse_.reset();
  slot_taken_back_ = memory_taken_back_ = false;
  to_upstream_.clear();
  line_.clear();
  output_ = {};
  request_written_ = upload_cut_ = false;
  retries_ = 0;
  response_scanner_.reset();
  bytes_out_ = tunneled_in_ = 0;
  response_started_ = api_sheds_ = timed_out_ = ending_ = over_ = lasts_ = client_left_ = false;
}

/// One request and its response: the whole path.
net::Task<> Exchange::run(Failure failure) {
  // The head has come; now the request has an identity and a class.
  if (!failure) failure = receive();

  // A slot, now or after a bounded wait; else the refusal, before the body is read.
  if (!failure) failure = ask_for_slot();
  if (!failure && !permit_) failure = co_await wait_for_slot();

  // A body that is late does not hold the slot meanwhile.
  if (!failure && !body_at_hand()) failure = co_await gather_body();

  // To the API, written anew, and its answer's head back. Once more on a fresh connection if a kept one was stale.
  if (!failure) failure = prepare_request();
  if (!failure) failure = co_await forward(false);
  if (failure.may_retry && settings_->config.retry.attempts > 0 && worker_.shared().gate.begin_retry()) {
    ++retries_;
    worker_.counters().upstream_retries.add();
    failure = co_await forward(true);
    worker_.shared().gate.end_retry();
  }

  // Both have agreed on another protocol: from here on bytes are bytes.
  const bool tunnels = !failure && switches_protocol();
  if (tunnels) failure = co_await tunnel();

  // The answer, written anew, streamed to the client at the pace it reads.
  if (!failure && !tunnels) failure = co_await relay_response();

  if (failure) {
    co_await answer(failure);
  } else if (!tunnels) {
    account(response_.status, outcome_of(response_.status), {});
    client_->finish();
  }
  if (memory_taken_back_) worker_.arriving().gave_back(*this);
}

telemetry::Protocol Exchange::protocol() const {
  using telemetry::Protocol;
  if (request_.http2) return Protocol::http_2;
  return request_.minor == 0 ? Protocol::http_1_0 : Protocol::http_1_1;
}

Failure Exchange::receive() {
  received_ = true;
  method_ = request_.method;
  target_ = request_.target;
  worker_.counters().parsed.add();
  worker_.counters().protocols[static_cast<std::size_t>(protocol())].add();
  identify();
  if (traced_ || worker_.shared().log.wants_any()) note_head();
  const auto [class_index, rule] = settings_->classifier.classify(request_, client_->certificate_subject());
  class_index_ = class_index;
  ticket_.rule = rule;
  look_at_reader();
  if (http::has_passed(request_, worker_.shared().pseudonym)) return came_back();
  if (request_.max_forwards == 0) return Failure::Kind::last_hop;
  const std::uint64_t limit = settings_->config.limits.body;
  if (limit != 0 && request_.framing == http::Framing::length && request_.content_length > limit) {
    return Failure::bad_request({413, "Content-Length is beyond limits.body"});
  }
  return decode_body();  // what of the body has come with the head
}

/// This process has sent it: it would go round until it holds every slot.
Failure Exchange::came_back() {
  if (worker_.shared().loop_news.due(Clock::now())) {
    worker_.shared().log.warning(
        "a request has come back to this proxy: upstream.address leads to it, maybe by others");
  }
  return Failure::Kind::loop;
}

/// Who reads an answer of the proxy's own: a person's browser, a script of another origin, or a program.
void Exchange::look_at_reader() {
  wants_html_ = prefers_html(request_.field("accept"));
  const CorsConfig& cors = settings_->config.refusals.cors;
  if (cors.allow_origins.empty()) return;
  const std::string_view origin = request_.field("origin");
  if (origin.empty()) return;
  origin_ = cors.allowing(origin);
  preflight_ = method_ == "OPTIONS" && !request_.field("access-control-request-method").empty();
  if (preflight_) preflight_headers_ = request_.field("access-control-request-headers");
}

/// The request's identifiers: the client's if its word is believed, else new ones.
void Exchange::identify() {
  trusted_peer_ = settings_->trusts(client_->peer());
  find_client();
  const std::string_view id = trusted_peer_ ? request_.field("x-request-id") : std::string_view();
  // Of several traceparents none is continued (W3C Trace Context, section 4.3).
  const bool continues = (trusted_peer_ || settings_->config.trust_traces) &&
                         std::ranges::count(request_.fields, http::FieldName::traceparent, &http::Field::id) == 1;
  const std::string_view parent = continues ? request_.field("traceparent") : std::string_view();
  continued_ = tracing::valid_traceparent(parent);
  const text::RequestId generated = worker_.ids().request_id();
  request_id_ = text::valid_request_id(id) ? id : text::view(generated);
  tracing::IdGenerator& ids = worker_.ids();
  traceparent_ = continued_ ? ids.continue_trace(parent) : ids.start_trace(generated, ids.draw(settings_->trace_ratio));
  traced_ = worker_.shared().spans != nullptr && tracing::sampled(tracing::view(traceparent_));
  if (traced_ && continued_) std::ranges::copy(tracing::span_id(parent), caller_span_.begin());
}

/// The client's address: the peer's, or what a trusted peer tells.
void Exchange::find_client() {
  const std::string_view peer = client_->peer();
  const classify::ClientAddress client =
      classify::client_address(request_, peer, trusted_peer_, settings_->config.trusted_proxies);
  if (client.address != peer) client_address_ = told_client_ = client.address;
  told_host_ = client.host;
  std::string_view proto = client.proto;
  if (trusted_peer_ && request_.has(http::FieldName::x_forwarded_proto)) proto = request_.field("x-forwarded-proto");
  if (proto == "https") told_scheme_ = "https";
  if (proto == "http") told_scheme_ = "http";
  const bool tells = request_.has(http::FieldName::x_forwarded_for) || request_.has(http::FieldName::forwarded);
  if (tells && !trusted_peer_) worker_.tells_of_clients(peer);
}

// --- The slot --------------------------------------------------------------------------------------------------------

/// Admitted (then there is a permit), refused, or waiting.
Failure Exchange::ask_for_slot() {
  using State = admission::Request::State;
  if (settings_->config.maintenance.enabled && !settings_->critical[static_cast<std::size_t>(class_index_)]) {
    return Failure::refused(admission::Reason::maintenance);
  }
  arrived_ = Clock::now();
  ticket_.class_index = class_index_;
  ticket_.body_at_hand = body_at_hand();
  ticket_.asks_for_stream = http::asks_for_stream(request_);
  const std::string_view certificate = client_->certificate_subject();
  ticket_.key = settings_->client_keys.of(request_, client_address_, worker_.shared().key_hash, certificate);
  if (settings_->cohorts.enabled()) {
    const auto now = std::chrono::system_clock::now();
    ticket_.place = settings_->cohorts.place(request_, client_address_, now, certificate);
  }
  if (const auto timeout = classify::request_timeout(request_)) {
    ticket_.deadline = began_ + *timeout;
  } else if (const Duration usual = settings_->deadlines[static_cast<std::size_t>(class_index_)]; usual.count() > 0) {
    ticket_.deadline = began_ + usual;
  }
  const State state = worker_.shared().gate.arrive(ticket_, arrived_);
  if (state == State::refused) return Failure::refused(ticket_.reason);
  if (state == State::admitted) admitted();
  return {};
}

/// The client is watched meanwhile: one that goes away leaves the queue at once, and one that has told how long it
/// waits is told when that is no longer long enough.
net::Task<Failure> Exchange::wait_for_slot() {
  using State = admission::Request::State;
  client_->watch(ClientStream::Watch::queue);
  worker_.gate_wait_begins();
  look_at_deadline();
  co_await ticket_.parking.wait();
  disarm();
  worker_.gate_wait_ends();
  client_->watch(ClientStream::Watch::off);
  queue_wait_ += Clock::now() - arrived_;
  if (ticket_.state == State::refused) co_return Failure::refused(ticket_.reason);
  if (ticket_.state != State::admitted) co_return Failure::Kind::client_gone;
  admitted();
  co_return Failure();
}

/// Asks again when the gate says so.
void Exchange::look_at_deadline() {
  if (ticket_.deadline == Time::max()) return;
  const Time again = worker_.shared().gate.expire(ticket_, Clock::now());
  if (again != Time::max()) worker_.timers().arm(*this, again);
}

void Exchange::admitted() {
  permit_.emplace(worker_.shared().gate, ticket_);
  telemetry::WorkerCounters& counters = worker_.counters();
  counters.concurrency.observe(ticket_.in_flight);
  counters.classes[static_cast<std::size_t>(class_index_)].queue_wait.observe(telemetry::to_milliseconds(queue_wait_));
}

void Exchange::release_slot() {
  if (!permit_) return;
  permit_->complete(admission::Completion::ignore);
  permit_.reset();
}

// --- What ends a wait ------------------------------------------------------------------------------------------------

/// Code that waits in a loop looks at `timed_out_` before it waits again: the deadline may fire in the turn in which
/// what was waited for has come, and it fires once.
void Exchange::arm(Time from, Duration timeout) {
  timed_out_ = false;
  worker_.timers().arm(*this, from + timeout);
}

void Exchange::on_deadline() {
  if (ticket_.parking.occupied()) return look_at_deadline();
  timed_out_ = true;
  client_->cancel();
  if (upstream_) upstream_->stream.cancel();
  if (race_) race_->wake();
}

void Exchange::on_client_gone() {
  if (ticket_.parking.occupied()) {
    if (worker_.shared().gate.abandon(ticket_)) ticket_.parking.resume();
  } else if (race_) {
    stop_connecting();
  } else if (upstream_) {
    client_left_ = !upstream_->stream.reading();  // then it waits for the end of the turn, and looks
    upstream_->stream.cancel();
  }
}

/// The API answers, or leaves, while the request is still being sent: whatever waits for the rest of it wakes up.
void Exchange::on_unawaited_read(net::Stream& upstream) {
  client_->cancel();
  upstream.cancel();
}

/// Another request waits for the slot that is held for this slow client.
void Exchange::take_slot_back() {
  SlotHolder::leave();
  slot_taken_back_ = true;
  client_->cancel();
}

/// Another body needs the memory that this slow client's holds.
void Exchange::take_memory_back() {
  memory_taken_back_ = true;
  client_->cancel();
}

void Exchange::stop() {
  if (over_ || (response_started_ && !lasts_)) return;  // an ordinary response may still end in time
  ending_ = true;
  if (ticket_.parking.occupied()) return;  // who waits for a slot is told by the gate
  if (race_) stop_connecting();
  if (upstream_) upstream_->stream.cancel();
  client_->cancel();
}

void Exchange::abort() {
  timed_out_ = ending_ = true;
  if (race_) stop_connecting();
  if (upstream_) upstream_->stream.cancel();
}

void Exchange::stop_connecting() {
  client_left_ = true;
  race_->wake();
}

}  // namespace spillway::relay
