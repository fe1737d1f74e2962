#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "config/listen.hpp"
#include "proxy/handover/link.hpp"
#include "proxy/handover/state.hpp"
#include "proxy/net/listener.hpp"

namespace spillway::handover {

/// The process that serves already, to the one that takes over from it. Every wait has a bound (see link.hpp). If this
/// object goes away before `running`, the predecessor goes on as before.
class Predecessor {
 public:
  /// Connects, and takes listeners and state. Null with an empty `error`: nobody is there. Else `error` is one line.
  static std::unique_ptr<Predecessor> find(const std::string& path, std::string& error);
  ~Predecessor();

  pid_t pid() const { return pid_; }
  /// JSON, not read yet.
  const std::string& state() const { return state_; }

  /// The sockets of an entry of `listen`, group by group, that the predecessor had with the same address. Each is given
  /// once. Empty: it had no such entry.
  std::vector<std::vector<net::ListenSocket>> take(Listening::Use use, const std::string& address);
  /// The addresses `fd:N` of the sockets that systemd gave to the predecessor. They replace what the configuration
  /// names.
  std::vector<config::Listen> given_by_systemd() const;
  /// Closes what has not been taken: the predecessor serves those who wait there. After `running`.
  void drop_rest();

  /// Everything is open, nothing runs yet: from the return on the predecessor takes no slot beyond what it needs.
  std::optional<Needs> ready(std::string& error);
  /// The workers run: the predecessor drains. False: it is gone.
  bool running();
  /// Until the predecessor has ended, on a thread: `leave` leaves it what it needs, and returns what it may use at
  /// once. After `running`.
  void follow(std::function<int(const Needs&)> leave, std::function<void()> ended);

 private:
  struct Socket {
    Listening what;
    net::ListenSocket socket;
  };
  explicit Predecessor(Link link) : link_(std::move(link)) {}
  /// False with an empty `error`: nobody is there any more.
  bool take_all(std::string& error);
  bool add_listener(std::string_view payload);
  bool answer_one(Time until, const std::function<int(const Needs&)>& leave);

  Link link_;
  pid_t pid_ = 0;
  std::string state_;
  std::vector<Socket> sockets_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace spillway::handover
