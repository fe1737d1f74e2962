#include "proxy/handover/predecessor.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

namespace spillway::handover {
namespace {

/// How long a predecessor may say nothing about its needs. Its own drain ends it before; a stopped one would keep its
/// slots for ever.
constexpr Duration kSilence = std::chrono::hours(1);

const char* in_words(Link::Got got) {
  return got == Link::Got::ended  ? "has closed the connection"
         : got == Link::Got::late ? "does not answer"
                                  : "has sent what is no frame";
}

}  // namespace

Predecessor::~Predecessor() {
  stopping_ = true;
  link_.shut();
  if (thread_.joinable()) thread_.join();
}

std::unique_ptr<Predecessor> Predecessor::find(const std::string& path, std::string& error) {
  error.clear();
  Link link = Link::connect(path);
  if (!link.open()) {
    const int failed = errno;
    if (failed != ENOENT && failed != ECONNREFUSED)
      error = fmt::format("handover: {}: {}", path, std::strerror(failed));
    return nullptr;
  }
  if (!link.same_user()) {
    error = fmt::format("handover: {}: a process of another user listens there", path);
    return nullptr;
  }
  std::unique_ptr<Predecessor> found(new Predecessor(std::move(link)));
  if (found->take_all(error)) return found;
  if (!error.empty()) error = fmt::format("handover: {}: {}", path, error);
  return nullptr;
}

bool Predecessor::take_all(std::string& error) {
  // A process that has just been told to stop closes without a word: nobody is there any more.
  if (!link_.send({"hello", fmt::format(R"({{"version":{},"pid":{}}})", kVersion, ::getpid())},
                  Clock::now() + kAnswer)) {
    return false;
  }
  Frame frame;
  bool known = false;
  for (;;) {
    const Link::Got got = link_.receive(frame, Clock::now() + (known ? kTransfer : kAnswer));
    if (got == Link::Got::ended && !known) return false;
    if (got != Link::Got::frame) {
      error = "the process there " + std::string(in_words(got));
      return false;
    }
    known = true;
    if (frame.kind == "refused") {
      error = "refused: " + frame.payload;
      return false;
    }
    if (frame.kind == "listener" && !add_listener(frame.payload)) {
      error = "the process there has sent a listener that is none";
      return false;
    }
    if (frame.kind == "hello") pid_ = parse_pid(frame.payload);
    if (frame.kind == "state") state_ = std::move(frame.payload);
    if (frame.kind == "end") return true;
  }
}

/// A kind of use that this version does not know is skipped with its descriptor.
bool Predecessor::add_listener(std::string_view payload) {
  const int descriptor = link_.take_descriptor();
  if (descriptor < 0) return false;
  std::optional<Listening> what = parse_listening(payload);
  net::ListenSocket socket = net::adopt_listener(descriptor, what && what->inherited);
  if (socket.get() < 0) return false;
  if (what) sockets_.push_back({std::move(*what), std::move(socket)});
  return true;
}

std::vector<std::vector<net::ListenSocket>> Predecessor::take(Listening::Use use, const std::string& address) {
  std::vector<std::vector<net::ListenSocket>> groups;
  std::optional<int> entry, group;
  std::vector<Socket> rest;
  for (Socket& each : sockets_) {
    const bool wanted = each.what.use == use && each.what.address == address && (!entry || *entry == each.what.entry);
    if (!wanted) {
      rest.push_back(std::move(each));
      continue;
    }
    entry = each.what.entry;
    if (group != each.what.group) groups.emplace_back();
    group = each.what.group;
    groups.back().push_back(std::move(each.socket));
  }
  sockets_ = std::move(rest);
  return groups;
}

std::vector<config::Listen> Predecessor::given_by_systemd() const {
  std::vector<config::Listen> addresses;
  for (const Socket& each : sockets_) {
    config::Listen listen;
    if (each.what.use != Listening::Use::traffic || !each.what.systemd) continue;
    if (!config::parse(each.what.address, listen) || std::count(addresses.begin(), addresses.end(), listen) > 0)
      continue;
    addresses.push_back(std::move(listen));
  }
  return addresses;
}

std::optional<Needs> Predecessor::ready(std::string& error) {
  Frame frame;
  Link::Got got = Link::Got::ended;
  if (link_.send({"ready", ""}, Clock::now() + kAnswer)) got = link_.receive(frame, Clock::now() + kAnswer);
  if (got != Link::Got::frame) {
    error = fmt::format("handover: process {} {}", pid_, in_words(got));
    return std::nullopt;
  }
  std::optional<Needs> needs = frame.kind == "go" ? parse_needs(frame.payload) : std::nullopt;
  if (!needs) error = fmt::format("handover: process {} did not say what it needs", pid_);
  return needs;
}

bool Predecessor::answer_one(Time until, const std::function<int(const Needs&)>& leave) {
  Frame frame;
  if (link_.receive(frame, until) != Link::Got::frame) return false;
  if (frame.kind != "need") return true;
  const std::optional<Needs> needs = parse_needs(frame.payload);
  return needs && link_.send({"have", std::to_string(leave(*needs))}, Clock::now() + kAnswer);
}

bool Predecessor::running() {
  return link_.send({"running", ""}, Clock::now() + kAnswer);
}

void Predecessor::drop_rest() {
  for (const Socket& each : sockets_) {
    if (each.socket.file) each.socket.file->own(true);
  }
  sockets_.clear();
}

void Predecessor::follow(std::function<int(const Needs&)> leave, std::function<void()> ended) {
  thread_ = std::thread([this, leave = std::move(leave), ended = std::move(ended)] {
    while (answer_one(Clock::now() + kSilence, leave)) {
    }
    if (stopping_) return;
    leave({});
    ended();
  });
}

}  // namespace spillway::handover
