// The stages of an exchange that go towards the API, and the head of its answer.

#include <algorithm>

#include "proxy/http1/parse.hpp"
#include "proxy/http1/writer.hpp"
#include "proxy/relay/connection_table.hpp"
#include "proxy/relay/exchange.hpp"
#include "proxy/relay/worker.hpp"
#include "proxy/upstream/connect_attempts.hpp"

namespace spillway::relay {

namespace {
/// Whether a connect failed because this machine lacks something (a local port, memory). That says nothing of the API.
bool own_shortage(net::error_code error) {
  return error == boost::system::errc::address_not_available || error == net::asio::error::no_descriptors ||
         error == boost::system::errc::too_many_files_open_in_system || error == net::asio::error::no_buffer_space ||
         error == net::asio::error::no_memory;
}

/// An API that closes while the body comes has failed if the upload has lasted no longer than this: APIs wait for
/// longer.
constexpr Duration kQuickUpload = std::chrono::seconds(1);
}  // namespace

/// Writes the request anew. Views into the client's head end here.
Failure Exchange::prepare_request() {
  http::Forwarding forwarding;
  forwarding.pseudonym = worker_.shared().pseudonym;
  forwarding.client_address = client_->peer();
  if (client_->secure()) forwarding.scheme = "https";
  if (const tls::PeerCertificate* const certificate = client_->certificate()) {
    forwarding.certificate_subject = certificate->subject;
    forwarding.certificate_fingerprint = certificate->fingerprint;
  }
  forwarding.trusted_peer = trusted_peer_;
  const bool extends = request_.has(http::FieldName::x_forwarded_for);
  if (client_address_ != client_->peer() && !extends) forwarding.told_client = client_address_;
  forwarding.told_scheme = told_scheme_;
  forwarding.told_host = told_host_;
  forwarding.emit_forwarded = settings_->config.forwarded_header;
  forwarding.request_id = request_id_;
  forwarding.traceparent = tracing::view(traceparent_);
  forwarding.pressure = ticket_.pressure;
  if (ticket_.deadline != Time::max()) {
    const auto left = std::chrono::floor<std::chrono::milliseconds>(ticket_.deadline - ticket_.admitted);
    forwarding.time_left = std::max(left, std::chrono::milliseconds(1));
  }
  http::write_request(request_, forwarding, to_upstream_);
  method_ = std::string_view(to_upstream_).substr(0, method_.size());
  const std::size_t target_size = target_.size() + (target_.front() == '?' ? 1 : 0);  // a `/` was put before it
  target_ = std::string_view(to_upstream_).substr(method_.size() + 1, target_size);

  client_->release_head();
  return decode_body();  // what has come while it waited for its slot
}

/// Head and body to the API, and the response's head back.
net::Task<Failure> Exchange::forward(bool fresh) {
  request_written_ = upload_cut_ = upload_blocked_ = false;
  if (traced_ && !fresh) asked_ = Clock::now();
  Failure failure;
  if (fresh || !reuse_connection()) failure = co_await connect();
  if (!failure) failure = gather_request();
  if (!failure) {
    const std::size_t size = output_.size();
    // Before the answers: a slot of the API is idle until then.
    co_await upstream_->stream.write_at_end_of_turn(output_, net::Turn::Order::first);
    wrote_upstream(size - output_.size(), upstream_->stream.written().error());
    // What came before the request went out is no answer to it.
    if (upstream_->reused && !upstream_->stream.in.empty()) failure = Failure::Kind::upstream_closed;
  }
  while (!failure) {
    if (!client_->body_complete() || !output_.empty()) failure = co_await upload();
    while (!failure && !read_response_head(failure)) co_await upstream_->stream.wait_read();
    if (failure || !response_.informational() || switches_protocol()) break;
    failure = co_await pass_on_interim();
  }
  upload_pipe_.reset();  // no more of the body is wanted
  if (!failure) co_return failure;

  // Sent again only where nothing can happen twice: a kept connection closed before a byte of an answer, and
  // either nothing was written or the method may be repeated and its body is still at hand.
  const bool stale = failure.kind == Failure::Kind::upstream_closed && upstream_->reused;
  const bool whole_body_here = client_->body_complete() && client_->body_received() == client_->body().size();
  failure.may_retry = stale && !fresh && (!request_written_ || (request_.idempotent && whole_body_here));
  if (failure.kind == Failure::Kind::upstream_closed || failure.kind == Failure::Kind::response_cut) {
    note_error(upstream_->name, upstream_->stream.read_error());
  }
  if (upstream_) drop_upstream();
  co_return failure;
}

bool Exchange::reuse_connection() {
  upstream_ = worker_.upstream().take_idle();
  // What cannot be sent again is not sent into a connection that is closed already.
  if (upstream_ && !request_.idempotent && upstream_->stream.transport().stale()) drop_upstream();
  if (!upstream_) return false;
  upstream_->stream.observe(this);
  upstream_name_ = upstream_->name;
  watch_client(ClientStream::Watch::upload);
  return true;
}

/// Tries one address after the other, the one that worked last first. A silent attempt goes on beside the next ones;
/// the first connection that stands wins.
net::Task<Failure> Exchange::connect() {
  upstream::Addresses& addresses = worker_.shared().addresses;
  const std::shared_ptr<const upstream::Endpoints> list = addresses.list();
  upstream::ConnectAttempts attempts(*list, Clock::now(), settings_->config.upstream.connect_timeout);
  upstream::ConnectRace race(worker_.upstream(), worker_.executor());
  net::error_code error = net::asio::error::host_not_found;  // no address is known
  bool insecure = false;                                     // the last attempt that failed did so for TLS
  Failure failure;
  client_left_ = false;
  race_ = &race;
  watch_client(ClientStream::Watch::upload);
  std::optional<upstream::ConnectAttempts::Attempt> attempt;
  while (!failure && !upstream_) {
    const Time now = Clock::now();
    if (!attempt) attempt = attempts.next(now);
    Duration wait = attempts.left(now);
    if (wait == Duration::zero() || (!attempt && !race.under_way())) break;
    if (attempt) {
      const Started started = start_connect(attempt->endpoint, race, error);
      if (started == Started::refused) failure = Failure::refused(admission::Reason::upstream_connections);
      if (started == Started::yes) wait = attempt->time;
      if (started != Started::later) attempt.reset();
      if (started == Started::unusable || failure) continue;
    }
    arm(now, wait);
    co_await race.wait();
    if (client_left_) failure = Failure::Kind::client_gone;
    if (!client_left_) upstream_ = race.take_winner();
    for (const upstream::ConnectRace::Failed& each : race.take_failed()) {
      worker_.counters().upstream_connect_failures.add();
      note_error(each.name, error = each.error);
      note_tls(each.tls_fault);
      insecure = !each.tls_fault.empty();
    }
  }
  race_ = nullptr;
  const std::vector<std::string> silent = race.silent();
  // Those that the race ends have failed, unless they might have connected for a client that has left.
  if (!failure) worker_.counters().upstream_connect_failures.add(silent.size());
  if (upstream_) {
    upstream_name_ = upstream_->name;
    if (upstream_->beyond_limit) would_refuse(admission::Reason::upstream_connections);
    addresses.worked(upstream_->endpoint);
    permit_->reached();
    upstream_->stream.watch_peer(worker_.hang_ups());
    upstream_->stream.await_input(net::kBlockSize);
    upstream_->stream.observe(this);
    co_return Failure();
  }
  watch_client(ClientStream::Watch::off);
  if (failure) co_return failure;

  for (const std::string& each : silent) note_error(each, net::asio::error::timed_out);
  if (list->empty()) error_ = "no address of the API is known";
  addresses.failed();
  const bool unreachable = silent.empty() && !own_shortage(error);
  permit_->complete(!silent.empty() ? admission::Completion::connect_timeout
                    : unreachable   ? admission::Completion::unreachable
                                    : admission::Completion::ignore);
  if (!silent.empty()) co_return Failure::Kind::connect_timeout;
  if (unreachable && !insecure) worker_.shared().found_nobody();
  co_return insecure ? Failure::Kind::tls_failed : Failure::Kind::connect_failed;
}

/// Starts an attempt, if a connection can be had for it.
Exchange::Started Exchange::start_connect(const upstream::Endpoint& endpoint, upstream::ConnectRace& race,
                                          net::error_code& error) {
  net::error_code failed;
  upstream::ConnectionPool::Lease connection = worker_.upstream().open(endpoint, worker_.executor(), failed);
  if (failed) error = failed;
  if (!connection) {
    if (failed == net::asio::error::address_family_not_supported) return Started::unusable;
    // The last connection goes to the next address rather than to one that is silent.
    if (race.give_up_oldest()) return Started::later;
    if (failed) worker_.connections().out_of_descriptors();
    return Started::refused;
  }
  worker_.counters().upstream_connects.add();
  if (failed) {
    worker_.counters().upstream_connect_failures.add();
    note_error(connection->name, failed);
    worker_.upstream().discard(std::move(connection));
    return Started::unusable;
  }
  upstream_name_ = connection->name;
  race.start(std::move(connection));
  return Started::yes;
}

/// The head goes out with the part of the body that came with it. What the socket does not take at once goes with the
/// upload. A request whose deadline has passed is refused instead.
Failure Exchange::gather_request() {
  sent_ = ticket_.sent = Clock::now();
  answered_ = {};
  if (sent_ >= ticket_.deadline) {
    if (settings_->enforces()) return Failure::refused(admission::Reason::deadline);
    would_refuse(admission::Reason::deadline);
  }
  arm(sent_, settings_->config.timeouts.response);
  output_ = {};
  output_.add(to_upstream_);
  gather_upload();
  return {};
}

/// Looks for the next head of the API, which may be an informational one, in what has come. Forwards nothing of it yet.
/// False: a read for more is outstanding.
bool Exchange::read_response_head(Failure& failure) {
  net::Stream& up = upstream_->stream;
  const http::HeadScanner::Result head = response_scanner_.scan(up.in.view(), settings_->config.limits.response_head);
  if (head.violation) failure = Failure::response_invalid(head.violation);
  if (head.complete) {
    const std::string_view bytes = up.in.view().substr(head.begin, head.end - head.begin);
    const http::Violation violation = http::parse_response(bytes, request_.head_method, response_);
    if (violation) {
      failure = Failure::response_invalid(violation);
    } else if (fakes_upgrade()) {
      failure = Failure::response_invalid({502, "success without the upgrade that was asked for"});
    } else {
      response_head_size_ = head.end;
      upstream_status_ = response_.status;
    }
  }
  if (failure || head.complete) return true;
  if (!up.reading()) {
    if (up.read_error() || timed_out_) {
      failure = read_failure(up.in.empty() && upstream_status_ == 0);
      return true;
    }
    up.start_read();
  }
  if (client_->body_complete() && output_.empty()) watch_client(ClientStream::Watch::answer);
  return false;
}

/// Why no more of a response comes.
Failure Exchange::read_failure(bool nothing_came) const {
  if (timed_out_) return Failure::Kind::response_timeout;
  if (upstream_->stream.read_error() == net::asio::error::operation_aborted) return Failure::Kind::client_gone;
  if (!nothing_came) return Failure::Kind::response_cut;
  return waits_for_client() ? Failure::Kind::client_timeout : Failure::Kind::upstream_closed;
}

/// Whether the API has taken all that has come of a body, and the client has long not sent the rest. An API that closes
/// then has lost patience with the client.
bool Exchange::waits_for_client() const {
  return !client_->body_complete() && !upload_blocked_ && Clock::now() - sent_ >= kQuickUpload;
}

/// Forwards 1xx responses, except 100, which the proxy has sent itself.
net::Task<Failure> Exchange::pass_on_interim() {
  if (response_.status == 101) co_return Failure::response_invalid({502, "101 to a request that asked for no upgrade"});
  Failure failure;
  if (response_.status != 100) {
    const ClientStream::Sent sent = client_->write_interim(response_, {.request_id = request_id_});
    if (sent == ClientStream::Sent::failed) failure = Failure::Kind::client_gone;
    if (sent == ClientStream::Sent::blocked) failure = co_await flush_client();
  }
  net::Stream& up = upstream_->stream;
  up.in.consume(response_head_size_);
  response_scanner_.reset();
  if (up.in.empty()) up.start_read();
  co_return failure;
}

bool Exchange::switches_protocol() const {
  return response_.status == 101 && request_.upgrade_websocket;
}

/// Over HTTP/2 any success accepts a WebSocket (RFC 8441, section 5), but the API has not switched.
bool Exchange::fakes_upgrade() const {
  return request_.http2 && request_.upgrade_websocket && response_.status >= 200 && response_.status < 300;
}

/// Watches for a client that leaves, if `upstream.when_client_leaves` says that its request ends then. A stream ends in
/// any case: it holds no slot that the API would have to give back, and may never end by itself.
void Exchange::watch_client(ClientStream::Watch what) {
  if (lasts_ || settings_->config.upstream.when_client_leaves == WhenClientLeaves::cancel) client_->watch(what);
}

/// Which check has failed stands in the log alone: it is nothing for clients.
void Exchange::note_tls(std::string_view fault) {
  Shared& shared = worker_.shared();
  if (fault.empty() || !shared.upstream_tls_news.due(Clock::now())) return;
  shared.log.warning("TLS to the API: " + std::string(fault));
}

void Exchange::return_upstream() {
  const bool reusable = response_.keep_alive && response_.framing != http::Framing::until_close &&
                        client_->body_complete() && !upload_cut_ && upstream_->stream.in.empty() &&
                        !upstream_->stream.reading() && !upstream_->stream.has_left();
  if (!reusable) return drop_upstream();
  download_block_.end(upstream_->stream);
  watch_client(ClientStream::Watch::off);
  worker_.upstream().give(std::move(upstream_), answered_);
}

/// Ends the API's part in the request. What it took up to here counts as its time, although it has not answered.
void Exchange::drop_upstream() {
  if (request_written_ && answered_ == Time{}) answered_ = Clock::now();
  if (const tls::Session* const session = upstream_->stream.transport().tls()) note_tls(session->fault());
  watch_client(ClientStream::Watch::off);
  upstream_->stream.observe(nullptr);
  download_block_.end(upstream_->stream);
  worker_.upstream().discard(std::move(upstream_));
}

}  // namespace spillway::relay
