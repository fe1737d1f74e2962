#include "proxy/relay/worker.hpp"

#include <random>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "proxy/relay/connection_table.hpp"
#include "proxy/relay/exchange.hpp"

namespace spillway::relay {

namespace {
/// Spare exchanges, of some KiB: as many as are in flight or wait in a burst. Over HTTP/2 some connections are enough.
constexpr std::size_t kSpareExchanges = 512;
/// Often enough to find a loop that is held up, seldom enough to cost nothing.
constexpr Duration kLagEvery = std::chrono::milliseconds(250);
constexpr Duration kGateTick = std::chrono::milliseconds(10);
/// How often slots of slow clients are taken back while a request waits for one, one at a time: the first goes to the
/// request that waits before the next is taken.
constexpr Duration kSlotTick = std::chrono::milliseconds(20);
/// Sockets of an event loop are used on its thread only, so the reactor needs no locks; posting does.
constexpr int kOneThread = BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO;
}  // namespace

std::string own_pseudonym() {
  std::random_device random;
  return fmt::format("spillway-{:012x}", (std::uint64_t{random()} << 32 | random()) >> 16);
}

Worker::Worker(Shared& shared, std::shared_ptr<const Settings> settings)
    : shared_(shared),
      settings_(std::move(settings)),
      loop_(kOneThread),
      turn_(net::Turn::install(loop_)),
      work_(loop_.get_executor()),
      timers_(loop_),
      lag_timer_(loop_),
      hang_ups_(loop_.get_executor()),
      counters_(shared.class_names.size()),
      upstream_(timers_, blocks_, counters_, shared.upstream_connections, shared.addresses),
      connections_(std::make_unique<ConnectionTable>(*this)),
      arriving_(shared.arriving) {
  upstream_.configure(settings_->pool, settings_->contexts.upstream);
  connections_->configure();
  shared_.workers.push_back(this);
}

Worker::~Worker() = default;

void Worker::listen(net::ListenSocket socket, const config::Listen& listen, std::size_t entry) {
  listeners_.push_back(std::make_unique<net::Listener>(
      executor(), std::move(socket),
      [this, listen, entry](net::Accepted a) { connections_->accept(std::move(a), listen, entry); },
      [this] { return connections_->out_of_descriptors(); }));
}

void Worker::run() {
  begin_collecting();
  for (auto& listener : listeners_) listener->start();
  measure_lag();
  loop_.run();
}

void Worker::begin_collecting() {
  if (!batch_) return;
  if (batch_->begin()) return turn_.collect(std::move(batch_));
  batch_.reset();
  shared_.state.io_uring = false;
  shared_.log.warning("io: epoll: io_uring can be set up, but not used");
}

void Worker::measure_lag() {
  lag_timer_.expires_after(kLagEvery);
  lag_timer_.async_wait([this](net::error_code error) {
    if (error || (draining_ && connections_->empty())) return;
    counters_.loop_lag.observe(telemetry::to_milliseconds(Clock::now() - lag_timer_.expiry()));
    measure_lag();
  });
}

void Worker::reconfigure(std::shared_ptr<const Settings> settings) {
  net::asio::post(loop_, [this, next = std::move(settings)]() mutable {
    settings_ = std::move(next);
    unnamed_balancer_ = {};
    upstream_.configure(settings_->pool, settings_->contexts.upstream);
    connections_->configure();
  });
}

void Worker::drain(Drain how) {
  net::asio::post(loop_, [this, how] {
    draining_ = true;
    succeeded_ = how == Drain::succeeded;
    for (auto& listener : listeners_) {
      if (succeeded_) listener->share();
      listener->drain();
    }
    connections_->drain();
    finish_if_drained();
  });
}

void Worker::close_idle_upstream() {
  net::asio::post(loop_, [this] { upstream_.close_idle(); });
}

void Worker::addresses_changed() {
  net::asio::post(loop_, [this] { upstream_.drop_gone(); });
}

void Worker::stop_exchanges() {
  net::asio::post(loop_, [this] { connections_->stop_exchanges(); });
}

void Worker::abort() {
  net::asio::post(loop_, [this] { connections_->abort(); });
}

void Worker::finish_if_drained() {
  if (!draining_ || !connections_->empty()) return;
  upstream_.close();
  timers_.stop();
  hang_ups_.stop();
  lag_timer_.cancel();
  work_.reset();
}

bool Worker::count_refusal(const Refused& refused, Time now) {
  const auto reason = static_cast<std::size_t>(refused.reason);
  counters_.classes[static_cast<std::size_t>(refused.class_index)].rejections[reason].add();
  if (!shared_.refusals.take(refused.reason, now)) return false;
  shared_.refusals.remember({std::chrono::system_clock::now(), refused.reason, refused.class_index,
                             std::string(refused.method), std::string(refused.path), refused.in_flight, refused.limit,
                             refused.waited});
  return true;
}

void Worker::tells_of_clients(std::string_view peer) {
  if (!unnamed_balancer_.tells_of_clients(peer) || shared_.unnamed_balancer_told.exchange(true)) return;
  shared_.log.warning(
      fmt::format("{} keeps sending X-Forwarded-For or Forwarded, which are replaced: all its clients "
                  "count as one. Is it a load balancer of yours? Then name it in trusted_proxies",
                  peer));
}

void Worker::empty_pools() {
  blocks_.clear();
  exchanges_.clear();
  net::clear_frames();
}

std::unique_ptr<Exchange> Worker::take_exchange() {
  if (exchanges_.empty()) return std::make_unique<Exchange>(*this);
  std::unique_ptr<Exchange> exchange = std::move(exchanges_.back());
  exchanges_.pop_back();
  return exchange;
}

void Worker::give_exchange(std::unique_ptr<Exchange> exchange) {
  if (exchanges_.size() < kSpareExchanges) exchanges_.push_back(std::move(exchange));
}

void Worker::gate_wait_begins() {
  if (waiting_at_gate_++ == 0) timers_.arm(gate_tick_, Clock::now() + kGateTick);
}

void Worker::GateTick::on_deadline() {
  const Time now = Clock::now();
  worker.shared_.gate.tick(now);
  if (worker.waiting_at_gate_ > 0) worker.timers_.arm(*this, now + kGateTick);
}

void Worker::slot_held_for(SlotHolder& holder) {
  if (slow_clients_.empty()) timers_.arm(slot_tick_, Clock::now() + kSlotTick);
  slow_clients_.join(holder);
}

void Worker::SlotTick::on_deadline() {
  const Time now = Clock::now();
  if (worker.shared_.gate.short_of_slots(now - kSlotTick)) {
    if (SlotHolder* slowest = worker.slow_clients_.slowest(now)) slowest->take_slot_back();
  }
  if (!worker.slow_clients_.empty()) worker.timers_.arm(*this, now + kSlotTick);
}

bool Worker::body_arrives(ArrivingBody& body, std::size_t memory, std::uint64_t received, Time now) {
  arriving_.holds(body, memory, received, now);
  bool stays = true;
  const std::size_t limit = settings_->config.limits.buffered;
  while (ArrivingBody* const slow =
             arriving_.next_to_give_up(shared_.buffered.used(), limit, shared_.workers.size(), now)) {
    if (slow != &body) slow->take_memory_back();
    stays = stays && slow != &body;
  }
  return stays;
}

}  // namespace spillway::relay
