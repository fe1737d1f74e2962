#include "proxy/handover/link.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace spillway::handover {
namespace {

constexpr std::size_t kRead = 64 * 1024;
/// Passed at a time; a process sends them one by one.
constexpr std::size_t kPassedAtOnce = 16;
/// Kept until they are taken: 64 workers with 16 addresses, each of IPv4 and IPv6, and a few.
constexpr std::size_t kPassedMax = 2100;

int milliseconds_until(Time until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

}  // namespace

Link::Link(int descriptor) : descriptor_(descriptor) {
  ::fcntl(descriptor_, F_SETFL, ::fcntl(descriptor_, F_GETFL) | O_NONBLOCK);
}

Link::Link(Link&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      reader_(std::move(other.reader_)),
      passed_(std::exchange(other.passed_, {})) {}

Link& Link::operator=(Link&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(reader_, other.reader_);
  std::swap(passed_, other.passed_);
  return *this;
}

Link::~Link() {
  if (descriptor_ >= 0) ::close(descriptor_);
  for (const int each : passed_) ::close(each);
}

Link Link::connect(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return {};
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) return Link(descriptor);
  const int failed = errno;
  ::close(descriptor);
  errno = failed;
  return {};
}

bool Link::wait(short events, Time until) const {
  for (;;) {
    pollfd waits{descriptor_, events, 0};
    const int ready = ::poll(&waits, 1, milliseconds_until(until));
    if (ready > 0) return true;
    if (ready < 0 ? errno != EINTR : Clock::now() >= until) return false;
  }
}

bool Link::rest(Duration duration) const {
  return wait(POLLRDHUP, Clock::now() + duration);
}

bool Link::send(const Frame& frame, Time until, int descriptor) {
  const std::string bytes = encode(frame);
  std::string_view rest = bytes;
  while (!rest.empty()) {
    iovec part{const_cast<char*>(rest.data()), rest.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (descriptor >= 0) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* const passed = CMSG_FIRSTHDR(&message);
      passed->cmsg_level = SOL_SOCKET;
      passed->cmsg_type = SCM_RIGHTS;
      passed->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(passed), &descriptor, sizeof descriptor);
    }
    const ssize_t sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
    if (sent > 0) {
      rest.remove_prefix(static_cast<std::size_t>(sent));
      descriptor = -1;  // it went with the first bytes
    } else if (errno != EINTR && (errno != EAGAIN || !wait(POLLOUT, until))) {
      return false;
    }
  }
  return true;
}

Link::Got Link::read_some() {
  static thread_local std::array<char, kRead> bytes;
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kPassedAtOnce * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(descriptor_, &message, MSG_CMSG_CLOEXEC);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Got::late : Got::ended;
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each; each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(each) + i * sizeof(int), sizeof descriptor);
      passed_.push_back(descriptor);
    }
  }
  if (got == 0) return Got::ended;
  if ((message.msg_flags & MSG_CTRUNC) != 0 || passed_.size() > kPassedMax) return Got::malformed;
  reader_.add({bytes.data(), static_cast<std::size_t>(got)});
  return Got::frame;
}

Link::Got Link::receive(Frame& frame, Time until) {
  for (;;) {
    const FrameReader::State state = reader_.next(frame);
    if (state == FrameReader::State::frame) return Got::frame;
    if (state == FrameReader::State::malformed) return Got::malformed;
    if (!wait(POLLIN, until)) return Got::late;
    const Got got = read_some();
    if (got == Got::ended || got == Got::malformed) return got;
    if (got == Got::late && Clock::now() >= until) return got;
  }
}

int Link::take_descriptor() {
  if (passed_.empty()) return -1;
  const int oldest = passed_.front();
  passed_.pop_front();
  return oldest;
}

std::optional<Link::Peer> Link::peer() const {
  ucred known{};
  socklen_t length = sizeof known;
  if (::getsockopt(descriptor_, SOL_SOCKET, SO_PEERCRED, &known, &length) != 0) return std::nullopt;
  return Peer{known.pid, known.uid};
}

bool Link::same_user() const {
  const auto known = peer();
  return known && known->uid == ::geteuid();
}

void Link::shut() const {
  ::shutdown(descriptor_, SHUT_RDWR);
}

}  // namespace spillway::handover
