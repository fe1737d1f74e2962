// How a request's body is waited for: without a slot while it is late, and at a minimum rate with one.

#include <cstring>

#include "proxy/http1/parse.hpp"
#include "proxy/relay/session.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

namespace {
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
/// How long a body that has not come with its head may hold a slot: most clients send it right behind.
constexpr Duration kSlotHeldForBody = std::chrono::milliseconds(20);
/// As much of a body is gathered without a slot. What is larger streams from then on. With a head of up to 16 KiB it
/// makes a buffer of 64 KiB: a thousand of them fill the default `limits.buffered`.
constexpr std::size_t kGatheredMax = 48 * 1024;
/// Room for one read of an upload.
constexpr std::size_t kUploadSpace = net::kBlockSize / 2;
}  // namespace

/// Whether the body is whole, or is large and has begun to flow: its slot will not wait for a client that sends little.
bool Session::body_at_hand() const {
  return x_->upload.done() || x_->upload_payload >= kGatheredMax;
}

/// Takes the framing off what has come of the body, in place behind the head, if that is still there: the payload
/// first, `held` bytes in all.
Failure Session::decode_upload() {
  Exchange& x = *x_;
  char* const body = client_.in.data() + x.head_size;
  const http::BodyDecoder::Step step = x.upload.decode(body + x.held, client_.in.size() - x.head_size - x.held);
  if (step.violation) return Failure::bad_request(step.violation);
  if (x.upload_payload != x.held && step.payload > 0) {
    std::memmove(body + x.upload_payload, body + x.held, step.payload);
  }
  x.upload_payload += step.payload;
  x.held += step.consumed;
  x.bytes_in += step.payload;
  return {};
}

/// Gathers a body that is late before it is forwarded. After a moment the slot goes back, and is asked for again when
/// the body is at hand: else whoever sends many of them slowly would hold all slots.
net::Task<Failure> Session::gather_body() {
  Exchange& x = *x_;
  if (std::exchange(x.request.expect_continue, false) && client_.in.size() == x.head_size && x.request.minor == 1) {
    const Failure failure = co_await say_continue();
    if (failure) co_return failure;
  }
  const Duration patience = x.settings->config.timeouts.request_body;
  const Time slot_until = Clock::now() + kSlotHeldForBody;
  pace_ = Pace(x.settings->config.limits.min_rate, kPaceMean);
  for (;;) {
    const Failure failure = decode_upload();
    if (failure) co_return failure;
    if (body_at_hand()) break;
    if (!grow_input()) {
      // Without memory it would have to hold a slot instead. Only where slots are not limited may it.
      if (x.settings->config.admission.mode != AdmissionMode::enforce) break;
      co_return Failure::refused(admission::Reason::capacity);
    }
    const Time now = Clock::now();
    Duration wait = patience;
    if (x.permit) wait = std::min(wait, slot_until - now);
    if (!x.permit && input_memory_.size() > 0) wait = std::min(wait, pace_.left(now));
    arm(now, wait);
    pace_.begin(now);
    const std::size_t before = client_.in.size();
    client_.start_read(1);  // not moving the head, which is still needed
    co_await client_.settle();
    pace_.end(client_.in.size() - before, Clock::now());
    if (client_.read_error()) {
      if (!timed_out_) co_return Failure::Kind::client_gone;
      if (!x.permit) co_return Failure::Kind::client_timeout;
    }
    if (timed_out_) give_slot_back();
  }
  disarm();
  if (x.permit) co_return Failure();
  x.ticket.state = admission::Request::State::fresh;
  Failure failure = ask_for_slot();
  if (!failure && !x.permit) failure = co_await wait_for_slot();
  co_return failure;
}

/// Admitted: now the client may send the body that it asked about. A client that does not read gets no slot to wait in.
net::Task<Failure> Session::say_continue() {
  x_->output = {};
  x_->output.add(kContinue);
  Failure failure;
  if (write_client(failure)) co_return failure;
  give_slot_back();
  failure = co_await flush_client();
  co_return failure;
}

void Session::give_slot_back() {
  if (!x_->permit) return;
  x_->permit->complete(admission::Completion::ignore);
  x_->permit.reset();
}

/// Room for more of the body behind the head, if there is none: the framing goes, then the bytes before the head, then
/// the buffer grows, out of `limits.buffered`. False: that is used up.
bool Session::grow_input() {
  Exchange& x = *x_;
  if (client_.reading()) return true;  // there is, and the buffer must stay
  client_.in.drop_last(x.held - x.upload_payload);
  x.held = x.upload_payload;
  if (client_.in.space_size() > 0) return true;
  const bool grows = client_.in.size() == client_.in.capacity();
  const std::size_t larger = 2 * client_.in.capacity();
  if (grows && !input_memory_.grow_to(larger, x.settings->config.limits.buffered)) return false;
  client_.in.reserve(1);
  // The head has moved: it is read once more, where it is now.
  http::parse_request(client_.in.view().substr(0, x.head_size), x.settings->request_head, x.request);
  x.request.expect_continue = false;
  x.method = x.request.method;
  x.target = x.request.target;
  return true;
}

/// Gives the memory of a large body back, once it has gone.
void Session::shrink_input() {
  if (input_memory_.size() == 0 || !client_.in.empty() || client_.reading()) return;
  client_.in.release();
  input_memory_.reset();
}

/// The next bytes of an upload that the API waits for; none if it has answered meanwhile. The client must keep a rate.
net::Task<Failure> Session::await_upload() {
  const Duration patience = x_->settings->config.timeouts.request_body;
  if (taken_back_) co_return Failure::Kind::client_slow;
  const Time began = Clock::now();
  const Duration in_time = pace_.left(began);
  arm(began, std::min(patience, in_time));
  pace_.begin(began);
  tempo.begin(began);
  client_.start_read(kUploadSpace);
  co_await client_.settle();
  const Time now = Clock::now();
  pace_.end(client_.in.size(), now);
  tempo.end(client_.in.size(), now);
  if (!client_.in.empty() || answered_early()) co_return Failure();
  if (taken_back_) co_return Failure::Kind::client_slow;
  if (!timed_out_) co_return Failure::Kind::client_gone;
  co_return in_time < patience ? Failure::Kind::client_slow : Failure::Kind::client_timeout;
}

/// The rest of the body as it comes, until the API answers: an answer before the end of the body is final.
net::Task<Failure> Session::upload() {
  Exchange& x = *x_;
  co_await flush_upstream();
  if (!x.upload.done()) stream_with_slot();
  Failure failure;
  while (!failure && !x.upload.done() && !answered_early()) {
    client_.in.consume(x.held);
    x.held = x.upload_payload = 0;
    shrink_input();
    // What is here already came while the connection was being made, when nobody waited for it.
    if (client_.in.empty()) failure = co_await await_upload();
    if (failure || client_.in.empty()) break;
    failure = decode_upload();
    if (failure) break;
    x.output = {};
    gather_upload();
    arm(Clock::now(), x.settings->config.timeouts.response);
    co_await flush_upstream();
  }
  SlotHolder::leave();
  // Here the API's part begins: how long the client took to send says nothing of it.
  if (x.upload.done()) x.sent = x.ticket.sent = Clock::now();
  co_return failure;
}

/// From here on the slot may have to wait for the client.
void Session::stream_with_slot() {
  taken_back_ = false;
  pace_ = Pace(x_->settings->config.limits.min_rate, kPaceMean);
  worker_.slot_held_for(*this);
}

/// Somebody waits for the slot that is held for this slow client.
void Session::take_slot_back() {
  SlotHolder::leave();
  taken_back_ = true;
  client_.cancel();
}

}  // namespace spillway::relay
