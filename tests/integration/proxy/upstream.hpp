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

/// One request at the API: what came, and what the script does about it.
class Turn {
 public:
  Turn(Upstream& upstream, Wire& wire, std::string head, int connection, int number);
  ~Turn();

  const std::string& head() const { return head_; }
  /// Method and target, such as `GET /a?b`.
  std::string request() const;
  std::string field(std::string_view name) const { return field_of(head_, name); }
  /// Connections are counted from 0 in the order of their coming, and so are the requests on each.
  int connection() const { return connection_; }
  int number() const { return number_; }

  /// Reads the rest of the request; the body without its framing.
  const std::string& body();
  bool body_whole() const { return body_whole_; }
  void send(std::string_view raw);
  /// Reads the request to its end, then a response with this body.
  void answer(std::string_view body = "ok", std::string_view fields = {}, std::string_view status = "200 OK");
  /// Waits to be released by `Upstream::release`.
  void hold();
  /// Waits until the proxy closes the connection; false: it did not.
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

  /// As `upstream.address` wants it.
  const std::string& address() const { return address_; }
  void down();
  void up();
  /// Accepts nobody for a while, and lets hardly anyone wait for it.
  void pause();
  void resume();
  /// Of a paused unix socket: whoever connects now has to wait.
  std::vector<Wire> fill_queue() const;

  /// Lets that many held requests go on, now or later.
  void release(int count = 1);
  void release_all() { release(1'000'000); }

  /// Requests whose head has come and that have not got a byte of their answer; and the most there ever were.
  int inside() const { return inside_; }
  int most_inside() const { return most_inside_; }
  /// The first `kRemembered` requests, in the order of their heads. A body is there once the script has read it.
  std::vector<Seen> seen() const;
  int requests() const { return requests_; }
  int connections() const { return connections_; }
  /// Every byte that was no health poll.
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
  /// The request's place among those remembered; -1: it is not.
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
