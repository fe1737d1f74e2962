#include "proxy/upstream/addresses.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace spillway::upstream {

namespace {

/// Shortest time between look-ups: failing connects must not flood the name server.
constexpr Duration kSoonest = std::chrono::milliseconds(500);

bool contains(const Endpoints& list, const Endpoint& endpoint) {
  return std::find(list.begin(), list.end(), endpoint) != list.end();
}

}  // namespace

Time next_look_up(Time last, Duration interval, bool wanted) {
  return last + (wanted ? std::min(interval, kSoonest) : interval);
}

struct Addresses::State {
  config::Address address;
  std::atomic<std::uint32_t> generation{0};

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::shared_ptr<const Endpoints> list = std::make_shared<const Endpoints>();
  std::function<void(const News&)> on_news;
  Duration interval{};
  bool wanted = false, stopped = false;
  bool looked_up = false;  ///< the first look-up has ended
  bool failing = false;    ///< the last look-up has failed

  /// Under the lock.
  void take(Endpoints found, const std::string& error);
};

void Addresses::State::take(Endpoints found, const std::string& error) {
  const bool begins_to_fail = !error.empty() && !failing;
  failing = !error.empty();
  looked_up = true;
  if (failing) {
    const bool known = !list->empty();
    const char* const then = known ? "; the addresses known stay in use" : "; no request can be sent on before it is";
    if (begins_to_fail && on_news) on_news({known, true, "upstream.address: " + error + then});
    return;
  }
  const bool same = found.size() == list->size() &&
                    std::all_of(found.begin(), found.end(), [&](const Endpoint& e) { return contains(*list, e); });
  if (same) return;  // many name servers rotate the order of their answers
  const std::string before = net::to_text(*list), now = net::to_text(found);
  if (!list->empty()) {
    const auto best = std::find(found.begin(), found.end(), list->front());
    if (best != found.end()) std::rotate(found.begin(), best, best + 1);
  }
  list = std::make_shared<const Endpoints>(std::move(found));
  generation.fetch_add(1, std::memory_order_release);
  if (on_news) on_news({true, false, address.host + " is " + now + (before.empty() ? "" : ", was " + before)});
}

Addresses::Addresses(const config::Address& address) : state_(std::make_shared<State>()) {
  state_->address = address;
  if (net::is_name(address)) return;
  std::string error;
  state_->list = std::make_shared<const Endpoints>(net::resolve(address, error));
}

Addresses::~Addresses() {
  stop();
}

void Addresses::stop() {
  const std::lock_guard lock(state_->mutex);
  state_->stopped = true;
  state_->on_news = nullptr;
  state_->changed.notify_all();
}

bool Addresses::start(Duration interval, Duration patience, std::function<void(const News&)> on_news) {
  if (!net::is_name(state_->address)) return true;
  std::unique_lock lock(state_->mutex);
  state_->interval = interval;
  state_->on_news = std::move(on_news);
  std::thread([state = state_] { look_up_forever(state); }).detach();
  state_->changed.wait_for(lock, patience, [this] { return state_->looked_up; });
  return !state_->list->empty();
}

void Addresses::configure(Duration interval) {
  const std::lock_guard lock(state_->mutex);
  state_->interval = interval;
  state_->changed.notify_all();
}

void Addresses::look_up_forever(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  while (!state->stopped) {
    state->wanted = false;
    lock.unlock();
    std::string error;
    Endpoints found = net::resolve(state->address, error);
    const Time last = Clock::now();
    lock.lock();
    if (state->stopped) return;
    state->take(std::move(found), error);
    state->changed.notify_all();
    for (;;) {
      const Time at = next_look_up(last, state->interval, state->wanted || state->list->empty());
      if (state->stopped || Clock::now() >= at) break;
      state->changed.wait_until(lock, at);
    }
  }
}

std::string Addresses::authority() const {
  return state_->address.kind == config::Address::Kind::tcp ? to_text(state_->address) : "localhost";
}

std::shared_ptr<const Endpoints> Addresses::list() const {
  const std::lock_guard lock(state_->mutex);
  return state_->list;
}

std::uint32_t Addresses::generation() const {
  return state_->generation.load(std::memory_order_acquire);
}

bool Addresses::has(const Endpoint& endpoint) const {
  return contains(*list(), endpoint);
}

void Addresses::worked(const Endpoint& endpoint) {
  const std::lock_guard lock(state_->mutex);
  const Endpoints& now = *state_->list;
  if (now.size() < 2 || now.front() == endpoint || !contains(now, endpoint)) return;
  Endpoints order = now;
  const auto it = std::find(order.begin(), order.end(), endpoint);
  std::rotate(order.begin(), it, it + 1);
  state_->list = std::make_shared<const Endpoints>(std::move(order));
}

void Addresses::failed() {
  const std::lock_guard lock(state_->mutex);
  state_->wanted = true;
  state_->changed.notify_all();
}

}  // namespace spillway::upstream
