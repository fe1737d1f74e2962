#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "proxy/handover/link.hpp"
#include "proxy/handover/state.hpp"
#include "proxy/net/listener.hpp"

namespace spillway::handover {

/// Waits, on a thread of its own, for a successor of this process; hands over listeners and what was learned. Whatever
/// goes wrong before the successor runs, this process goes on as before. Then both keep to one limit until it has
/// ended.
class Offer {
 public:
  /// Called on the thread of the offer.
  struct Hooks {
    std::function<std::string()> state;    ///< as JSON; empty if the process is ending
    std::function<Needs()> needs;          ///< gives up the slots that are not needed, and tells those that are
    std::function<void(int)> have;         ///< so many slots may be used
    std::function<void()> alone;           ///< all may be used: there is no successor, or none any more
    std::function<void(pid_t)> succeeded;  ///< the successor serves: once, and then nothing new is to be accepted
    std::function<void(bool bad, const std::string&)> log;
  };
  /// A socket that passes on; it must stay open until `stop` has returned or `succeeded` was called.
  struct Passed {
    Listening what;
    int descriptor;
  };

  Offer(net::ListenSocket listener, std::vector<Passed> sockets, Hooks hooks);
  /// Stops.
  ~Offer();
  /// Whether this process removes the socket's file, see net::SocketFile. Before `start`.
  void own_file(bool owned);
  void start();
  /// From any thread but the offer's: ends a hand-over that is under way, and stops listening.
  void stop();
  bool stopping() const { return stopping_; }

 private:
  void run();
  bool hand_over(Link& link);
  void share(Link& link, const Needs& first);
  bool ask(Link& link, const Needs& needs, int& have);
  void give_up(const std::string& why);
  bool expect(Link& link, const char* kind, Duration patience, std::string& payload, const char* missing);

  std::optional<net::ListenSocket> listener_;  ///< until nobody is asked any more
  std::vector<Passed> sockets_;
  Hooks hooks_;
  int wake_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  ///< of `current_`
  Link* current_ = nullptr;
  std::thread thread_;
};

}  // namespace spillway::handover
