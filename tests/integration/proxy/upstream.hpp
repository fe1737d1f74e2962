#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/eventually.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/wire.hpp"

namespace spillway::test {

using support::End;
using support::eventually;
using support::field_of;
using support::Folder;
using support::kPatience;
using support::Wire;

class Upstream;

/// One request at the API: its bytes, and the script's ways to respond.
class Turn {
 public:
  Turn(Upstream& upstream, Wire& wire, std::string head, int connection, int number);
  ~Turn();

  const std::string& head() const { return head_; }
  /// Method and target, such as `GET /a?b`.
  std::string request() const;
  std::string field(std::string_view name) const { return field_of(head_, name); }
  /// Numbers from 0: of the connection in order of arrival, and of the request on it.
  int connection() const { return connection_; }
  int number() const { return number_; }

  /// Reads the rest of the request. Returns the body without its framing.
  const std::string& body();
  bool body_whole() const { return body_whole_; }
  void send(std::string_view raw);
  /// Reads the request to its end, then sends a response with this body.
  void answer(std::string_view body = "ok", std::string_view fields = {}, std::string_view status = "200 OK");
  /// Waits for `Upstream::release`.
  void hold();
  /// Waits until the proxy closes the connection. False: it did not.
  bool left();
  void close();
  void reset();
  Wire& wire() { return wire_; }

 private:
  Upstream& upstream_;
  Wire& wire_;
  std::string head_, body_;
  int connection_, number_, place_;
  bool body_read_ = false, body_whole_ = false, inside_ = true;
};

/// A scripted API on a socket of its own: a thread for each connection, which runs the script for each request.
/// Health polls (`kPollPath`) are answered beside it and neither counted nor recorded.
class Upstream {
 public:
  static constexpr const char* kPollPath = "/poll";
  enum class Kind { tcp, unix_socket };
  using Script = std::function<void(Turn&)>;

  struct Seen {
    int connection;
    std::string head, body;
  };

  explicit Upstream(
      Script script = [](Turn& turn) { turn.answer(); }, Kind kind = Kind::tcp);
  ~Upstream();
  Upstream(const Upstream&) = delete;

  /// In the form of `upstream.address`.
  const std::string& address() const { return address_; }
  void down();
  void up();
  /// Accepts no connection until `resume`, with a short queue of waiting ones.
  void pause();
  void resume();
  /// Fills the queue of a paused unix socket: the next connect has to wait.
  std::vector<Wire> fill_queue() const;

  /// Releases that many held requests, now or when they come.
  void release(int count = 1);
  void release_all() { release(1'000'000); }

  /// Requests whose head has arrived and whose response has not begun; and the highest number of them so far.
  int inside() const { return inside_; }
  int most_inside() const { return most_inside_; }
  /// The first `kRemembered` requests, in the order of their heads. A body is there once the script has read it.
  std::vector<Seen> seen() const;
  int requests() const { return requests_; }
  int connections() const { return connections_; }
  /// All bytes received, except those of health polls.
  std::size_t bytes() const { return bytes_; }

 private:
  friend class Turn;
  static constexpr int kRemembered = 10'000;
  static constexpr int kBacklog = 1024;
  struct Connection {
    Wire wire;
    std::thread thread = {};
    bool over = false;
  };
  void listen();
  void accept_all();
  void serve(Connection& connection);
  void talk(Wire& wire);
  void wait_for_release();
  /// The index of the request in `seen_`; -1: it is not remembered.
  int enter(const Seen& seen);
  void leave() { --inside_; }
  void note_body(int place, const std::string& body);

  Script script_;
  Kind kind_;
  Folder folder_;
  std::string address_;
  int port_ = 0;
  int listener_ = -1;
  std::thread acceptor_;

  mutable std::mutex mutex_;
  std::condition_variable released_, resumed_;
  int to_release_ = 0;
  bool stopping_ = false, paused_ = false;
  std::vector<Seen> seen_;
  std::list<Connection> open_;
  std::atomic<int> inside_{0}, most_inside_{0}, requests_{0}, connections_{0};
  std::atomic<std::size_t> bytes_{0};
};

}  // namespace spillway::test
