#include "proxy/handover/offer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace spillway::handover {
namespace {

/// Often enough that a slot that has become free is hardly idle until the successor knows of it.
constexpr Duration kShareEvery = std::chrono::milliseconds(5);

}  // namespace

Offer::Offer(net::ListenSocket listener, std::vector<Passed> sockets, Hooks hooks)
    : listener_(std::in_place, std::move(listener)),
      sockets_(std::move(sockets)),
      hooks_(std::move(hooks)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Offer::~Offer() {
  stop();
  ::close(wake_);
}

void Offer::start() {
  thread_ = std::thread([this] { run(); });
}

void Offer::stop() {
  stopping_ = true;
  ::eventfd_write(wake_, 1);
  {
    const std::lock_guard lock(mutex_);
    if (current_) current_->shut();
  }
  if (thread_.joinable()) thread_.join();
  listener_.reset();
}

void Offer::own_file(bool owned) {
  if (listener_->file) listener_->file->own(owned);
}

void Offer::run() {
  while (!stopping_) {
    std::array<pollfd, 2> waits{{{listener_->get(), POLLIN, 0}, {wake_, POLLIN, 0}}};
    if (::poll(waits.data(), waits.size(), -1) < 0 || waits[0].revents == 0) continue;
    const int descriptor = ::accept4(listener_->get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) continue;
    Link link(descriptor);
    {
      const std::lock_guard lock(mutex_);
      current_ = &link;
      if (stopping_) link.shut();
    }
    const bool over = hand_over(link);
    const std::lock_guard lock(mutex_);
    current_ = nullptr;
    if (over) return;
  }
}

void Offer::give_up(const std::string& why) {
  if (stopping_) return;
  hooks_.log(true, "hand-over: " + why + ": this process goes on");
}

/// Whether a frame of this kind comes in time. Others are skipped: a later version may send more.
bool Offer::expect(Link& link, const char* kind, Duration patience, std::string& payload, const char* missing) {
  const Time until = Clock::now() + patience;
  Frame frame;
  for (;;) {
    switch (link.receive(frame, until)) {
      case Link::Got::frame:
        break;
      case Link::Got::ended:
        return give_up(fmt::format("the new process ended before it was {}", missing)), false;
      case Link::Got::late:
        return give_up(fmt::format("the new process was not {} in time", missing)), false;
      case Link::Got::malformed:
        return give_up("the new process sent what is no frame"), false;
    }
    if (frame.kind != kind) continue;
    payload = std::move(frame.payload);
    return true;
  }
}

/// True: it has been handed over, and the successor has ended or this process has been told to.
bool Offer::hand_over(Link& link) {
  const auto peer = link.peer();
  if (!link.same_user()) {
    link.send({"refused", "the hand-over is for processes of the same user"}, Clock::now() + kAnswer);
    give_up(fmt::format("refused a process of user {}", peer ? static_cast<long>(peer->uid) : -1L));
    return false;
  }
  const auto send = [&](const Frame& frame, int descriptor = -1) {
    if (link.send(frame, Clock::now() + kTransfer, descriptor)) return true;
    give_up("the new process did not read");
    return false;
  };
  std::string payload;
  if (!send({"hello", fmt::format(R"({{"version":{},"pid":{}}})", kVersion, ::getpid())})) return false;
  if (!expect(link, "hello", kAnswer, payload, "known")) return false;
  hooks_.log(false, fmt::format("hand-over: process {} takes over", peer->pid));
  for (const Passed& each : sockets_) {
    if (!send({"listener", to_json(each.what)}, each.descriptor)) return false;
  }
  if (!send({"listener", to_json(Listening{.use = Listening::Use::handover})}, listener_->get())) return false;
  const std::string state = hooks_.state();
  if (stopping_ || !send({"state", state}) || !send({"end", ""})) return false;
  if (!expect(link, "ready", kPrepare, payload, "ready")) return false;

  // From here on no slot is taken that the successor does not know of.
  const Needs first = hooks_.needs();
  if (!send({"go", to_json(first)}) || !expect(link, "running", kStart, payload, "running")) {
    hooks_.alone();
    return false;
  }
  own_file(false);
  listener_.reset();
  hooks_.succeeded(peer->pid);
  share(link, first);
  return true;
}

/// Tells what is still needed, and takes what the successor leaves.
void Offer::share(Link& link, const Needs& first) {
  std::optional<Needs> told;
  int have = first.requests;
  bool reachable = true;
  while (reachable && !stopping_) {
    const Needs now = hooks_.needs();
    have = std::min(have, now.requests);
    if (told != now || have < now.requests) reachable = ask(link, now, have);
    told = now;
    reachable = reachable && !link.rest(kShareEvery);
  }
  if (stopping_) return;
  hooks_.log(true, "hand-over: the successor has ended");
  hooks_.alone();
}

bool Offer::ask(Link& link, const Needs& needs, int& have) {
  Frame answer;
  if (!link.send({"need", to_json(needs)}, Clock::now() + kAnswer)) return false;
  if (link.receive(answer, Clock::now() + kAnswer) != Link::Got::frame) return false;
  have = 0;
  std::from_chars(answer.payload.data(), answer.payload.data() + answer.payload.size(), have);
  hooks_.have(have);
  return true;
}

}  // namespace spillway::handover
