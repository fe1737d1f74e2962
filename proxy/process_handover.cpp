// How a process takes over from the one before it, and is succeeded by the next.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <future>
#include <utility>

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "proxy/process.hpp"

namespace spillway {

namespace {
/// Clients that still have a connection to a process with a successor may send a request for about so long.
constexpr Duration kLateRequests = std::chrono::seconds(2);
/// Part of the limit that it keeps meanwhile for such requests, so that they need not wait.
constexpr int kSparePart = 8;
/// A successor that has not taken over within this time never will. One takes a second, with slow names and disks some.
constexpr Duration kStart = std::chrono::seconds(30);
}  // namespace

/// Asks the process that serves already for its listeners and for what it has learned. False: there is one, and it does
/// not hand over.
bool Process::take_over() {
  if (config_.handover.empty()) return true;
  std::string error;
  predecessor_ = handover::Predecessor::find(config_.handover, error);
  if (!error.empty()) shared_.log.error(error);
  if (!predecessor_) return error.empty();
  taken_ = handover::parse_state(predecessor_->state(), error);
  if (!taken_) {
    shared_.log.warning("handover: nothing learned is taken over: the state of the process before is refused: " +
                        error);
    return true;
  }
  handover::order_classes(*taken_, shared_.class_names);
  shared_.gate.restore(taken_->admission, Clock::now());
  shared_.gate.restore_errors(taken_->connection_errors, Clock::now());
  shared_.state.upstream_healthy = taken_->api_healthy;
  return true;
}

/// Sockets of the predecessor, or new ones. Keeps copies for a successor.
std::vector<std::vector<net::ListenSocket>> Process::sockets_of(handover::Listening what, const config::Listen& listen,
                                                                int workers, std::string& error) {
  what.address = to_text(listen.address);
  std::vector<std::vector<net::ListenSocket>> groups;
  if (predecessor_) groups = predecessor_->take(what.use, what.address);
  if (groups.empty()) groups = net::open_all_listeners(listen, workers, error);
  for (std::vector<net::ListenSocket>& group : groups) {
    group = net::spread(std::move(group), workers);
    for (const net::ListenSocket& socket : group) {
      what.inherited = socket.inherited();
      if (!config_.handover.empty()) held_.push_back({what, net::duplicate(socket)});
    }
    ++what.group;
  }
  return groups;
}

bool Process::open_handover() {
  if (config_.handover.empty()) return true;
  using handover::Listening;
  std::string error;
  std::vector<net::ListenSocket> sockets;
  if (predecessor_) {
    auto groups = predecessor_->take(Listening::Use::handover, "");
    if (!groups.empty()) sockets = std::move(groups.front());
  }
  if (sockets.empty()) {
    config::Address address;
    address.kind = config::Address::Kind::unix_socket;
    address.path = config_.handover;
    sockets = net::open_listeners({.address = std::move(address), .mode = "0600"}, 1, error);
  }
  if (sockets.empty()) {
    shared_.log.error("handover: " + error);
    return false;
  }
  std::vector<handover::Offer::Passed> passed;
  for (const Held& each : held_) passed.push_back({each.what, each.socket.get()});
  offer_ = std::make_unique<handover::Offer>(
      std::move(sockets.front()), std::move(passed),
      handover::Offer::Hooks{
          .state = [this] { return state_for_successor(); },
          .needs =
              [this] {
                const relay::Gate::Needs needs = shared_.gate.give_up(spare_slots());
                return handover::Needs{needs.requests, needs.streams};
              },
          .have = [this](int slots) { shared_.gate.set_ceiling(slots, Clock::now()); },
          .alone = [this] { shared_.gate.set_ceiling(relay::Gate::kNoCeiling, Clock::now()); },
          .succeeded = [this](pid_t successor) { succeeded_by(successor); },
          .log = [this](bool bad,
                        const std::string& line) { bad ? shared_.log.warning(line) : shared_.log.info(line); }});
  return true;
}

/// The last steps: the predecessor takes no slot any more that this process does not know of. False: it goes on.
bool Process::succeed() {
  const auto leave = [this](const handover::Needs& needs) {
    return shared_.gate.leave({needs.requests, needs.streams}, Clock::now());
  };
  const int limit = shared_.gate.state().limit;  // as restored: once the workers run, it is learned on
  std::string error;
  const std::optional<handover::Needs> first = predecessor_->ready(error);
  if (!first) {
    shared_.log.error(error);
    return false;
  }
  leave(*first);
  if (!predecessor_->running()) {
    shared_.log.error(fmt::format("handover: process {} goes on", predecessor_->pid()));
    return false;
  }
  shared_.log.info(fmt::format("taken over from process {}: limit {}, {} requests and {} streams still there",
                               predecessor_->pid(), limit, first->requests, first->streams));
  taken_.reset();
  own_files(true);
  offer_->own_file(true);
  predecessor_->drop_rest();
  // systemd takes a word of this process only once the predecessor has named it.
  predecessor_->follow(
      [leave, told = false](const handover::Needs& needs) mutable {
        if (!std::exchange(told, true)) ::sd_notify(0, "READY=1");
        return leave(needs);
      },
      [this] { shared_.log.info("the process before has ended"); });
  return true;
}

/// Of unix sockets: whether this process removes them.
void Process::own_files(bool owned) const {
  for (const Held& each : held_) {
    if (each.socket.file) each.socket.file->own(owned);
  }
}

/// On the thread of the offer.
std::string Process::state_for_successor() {
  auto made = std::make_shared<std::promise<std::string>>();
  std::future<std::string> text = made->get_future();
  net::asio::post(loop_, [this, made] {
    const auto& samples = history_->samples();
    admission::Learned learned = shared_.gate.learned();
    const double limit = learned.limit.enabled ? learned.limit.level : shared_.gate.state().limit;
    shared_.log.info(fmt::format("hand-over: what was learned goes over: limit {}", std::lround(limit)));
    made->set_value(handover::to_json(handover::State{.admission = std::move(learned),
                                                      .class_names = shared_.class_names,
                                                      .history = {samples.begin(), samples.end()},
                                                      .api_healthy = shared_.state.upstream_healthy,
                                                      .connection_errors = shared_.gate.reported_errors()}));
  });
  constexpr auto kLook = std::chrono::milliseconds(20);
  while (text.wait_for(kLook) != std::future_status::ready) {
    if (offer_->stopping()) return {};
  }
  return text.get();
}

/// On the thread of the offer.
int Process::spare_slots() const {
  const bool late = successor_ != 0 && Clock::now() - succeeded_.load() > kLateRequests;
  return late ? 0 : std::min(shared_.client_connections.load(), shared_.gate.state().limit / kSparePart);
}

/// On the thread of the offer.
void Process::succeeded_by(pid_t successor) {
  own_files(false);
  ::sd_notifyf(0, "MAINPID=%d", static_cast<int>(successor));
  succeeded_ = Clock::now();
  successor_ = successor;
  signals_.drain();
}

/// Starts the program anew, by the same command: where it was replaced, the new version.
void Process::start_successor() {
  if (!offer_ || successor_ != 0) return;
  if (child_ != 0) return shared_.log.warning(fmt::format("upgrade: process {} is starting already", child_));
  std::vector<char*> arguments;
  for (std::string& each : command_) arguments.push_back(each.data());
  arguments.push_back(nullptr);
  posix_spawnattr_t attributes;
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  // Closed in the child, since other threads open descriptors meanwhile, and Asio opens its own without close-on-exec.
  // What the successor takes over comes through its link.
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  const int failed = ::posix_spawnp(&child_, arguments[0], &actions, &attributes, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (failed != 0) {
    child_ = 0;
    return shared_.log.error(fmt::format("upgrade: cannot start {}: {}", command_[0], std::strerror(failed)));
  }
  child_since_ = Clock::now();
  shared_.log.info(fmt::format("upgrade: started {} as process {}", command_[0], child_));
}

void Process::look_after_successor(Time now) {
  int status = 0;
  if (child_ == 0) return;
  if (::waitpid(child_, &status, WNOHANG) != child_) {
    if (successor_ != 0 || now - child_since_ < kStart) return;
    child_since_ = now;
    shared_.log.error(fmt::format("upgrade: process {} has not taken over in {} s: it is killed", child_,
                                  std::chrono::duration_cast<std::chrono::seconds>(kStart).count()));
    ::kill(child_, SIGKILL);
    return;
  }
  const pid_t ended = std::exchange(child_, 0);
  if (successor_ == ended) return;
  const std::string how = WIFEXITED(status) ? fmt::format("with status {}", WEXITSTATUS(status))
                                            : fmt::format("by signal {}", WTERMSIG(status));
  shared_.log.error(fmt::format("upgrade: process {} has ended {}: this process goes on", ended, how));
}

}  // namespace spillway
