#include "tests/integration/proxy/upstream.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace spillway::test {

namespace {
sockaddr_un socket_name(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  return name;
}
}  // namespace

Turn::Turn(Upstream& upstream, Wire& wire, std::string head, int connection, int number)
    : upstream_(upstream),
      wire_(wire),
      head_(std::move(head)),
      connection_(connection),
      number_(number),
      place_(upstream_.enter({connection, head_, {}})) {}

Turn::~Turn() {
  if (inside_) upstream_.leave();
}

std::string Turn::request() const {
  return head_.substr(0, head_.find(" HTTP/"));
}

const std::string& Turn::body() {
  if (!body_read_) {
    body_read_ = true;
    body_whole_ = support::read_body(wire_, head_, false, body_);
    upstream_.note_body(place_, body_);
  }
  return body_;
}

void Turn::send(std::string_view raw) {
  // The proxy may admit the next request as soon as it has the last byte of this response.
  if (std::exchange(inside_, false)) upstream_.leave();
  wire_.send(raw);
}

void Turn::answer(std::string_view body, std::string_view fields, std::string_view status) {
  this->body();
  std::string response = "HTTP/1.1 ";
  response.append(status).append("\r\n").append(fields);
  response.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
  send(response.append(body));
}

void Turn::hold() {
  upstream_.wait_for_release();
}

bool Turn::left() {
  while (wire_.read_more()) {
  }
  return wire_.end() != End::silent;
}

void Turn::close() {
  wire_.shut_down();
}

void Turn::reset() {
  const std::lock_guard lock(upstream_.mutex_);
  wire_.reset();
}

Upstream::Upstream(Script script, Kind kind) : script_(std::move(script)), kind_(kind) {
  up();
}

Upstream::~Upstream() {
  down();
}

void Upstream::up() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = false;
  }
  listen();
  acceptor_ = std::thread([this] { accept_all(); });
}

void Upstream::down() {
  if (!acceptor_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  released_.notify_all();
  resumed_.notify_all();
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  if (kind_ == Kind::unix_socket) ::unlink(folder_.path("api.sock").c_str());
  {
    const std::lock_guard lock(mutex_);
    for (Connection& connection : open_) connection.wire.shut_down();
  }
  for (Connection& connection : open_) connection.thread.join();
  open_.clear();
}

void Upstream::listen() {
  if (kind_ == Kind::unix_socket) {
    const sockaddr_un name = socket_name(folder_.path("api.sock"));
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ::bind(listener_, reinterpret_cast<const sockaddr*>(&name), sizeof name);
    address_ = "unix:" + folder_.path("api.sock");
  } else {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name.sin_port = htons(static_cast<std::uint16_t>(port_));  // keeps its number after `down`
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&name), sizeof name);
    socklen_t length = sizeof name;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&name), &length);
    port_ = ntohs(name.sin_port);
    address_ = "127.0.0.1:" + std::to_string(port_);
  }
  ::listen(listener_, kBacklog);
}

void Upstream::pause() {
  const std::lock_guard lock(mutex_);
  paused_ = true;
  ::listen(listener_, 1);
}

void Upstream::resume() {
  {
    const std::lock_guard lock(mutex_);
    paused_ = false;
    ::listen(listener_, kBacklog);
  }
  resumed_.notify_all();
}

std::vector<Wire> Upstream::fill_queue() const {
  const sockaddr_un name = socket_name(folder_.path("api.sock"));
  std::vector<Wire> waiting;
  for (;;) {
    Wire& next = waiting.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (::connect(next.descriptor(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return waiting;
  }
}

void Upstream::accept_all() {
  for (;;) {
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) return;
    std::unique_lock lock(mutex_);
    resumed_.wait(lock, [this] { return !paused_ || stopping_; });
    open_.remove_if([](Connection& old) {
      if (old.over) old.thread.join();
      return old.over;
    });
    Connection& connection = open_.emplace_back(Connection{Wire(descriptor)});
    connection.thread = std::thread([this, &connection] { serve(connection); });
  }
}

void Upstream::serve(Connection& connection) {
  talk(connection.wire);
  const std::lock_guard lock(mutex_);
  connection.over = true;
}

void Upstream::talk(Wire& wire) {
  const std::string poll = std::string("GET ") + kPollPath + " ";
  std::string head;
  std::size_t known = 0;
  int connection = -1;
  for (int number = 0;; ++number) {
    const bool whole = wire.read_head(head);
    if (whole && head.starts_with(poll)) {
      wire.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
      break;
    }
    if (connection < 0 && wire.received() > 0) connection = connections_++;
    bytes_ += wire.received() - std::exchange(known, wire.received());
    if (!whole) break;
    Turn turn(*this, wire, head, connection, number);
    script_(turn);
    if (wire.descriptor() < 0) return;
    turn.body();
  }
  wire.shut_down();
}

void Upstream::release(int count) {
  {
    const std::lock_guard lock(mutex_);
    to_release_ += count;
  }
  released_.notify_all();
}

void Upstream::wait_for_release() {
  std::unique_lock lock(mutex_);
  released_.wait(lock, [this] { return to_release_ > 0 || stopping_; });
  --to_release_;
}

std::vector<Upstream::Seen> Upstream::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

int Upstream::enter(const Seen& seen) {
  const int now = ++inside_;
  int most = most_inside_;
  while (now > most && !most_inside_.compare_exchange_weak(most, now)) {
  }
  const std::lock_guard lock(mutex_);
  if (++requests_ > kRemembered) return -1;
  seen_.push_back(seen);
  return static_cast<int>(seen_.size()) - 1;
}

void Upstream::note_body(int place, const std::string& body) {
  if (place < 0) return;
  const std::lock_guard lock(mutex_);
  seen_[static_cast<std::size_t>(place)].body = body;
}

}  // namespace spillway::test
