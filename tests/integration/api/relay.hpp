#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include <boost/asio.hpp>

#include "tests/integration/api/program.hpp"

namespace api::test {

/// A relay between the API and PostgreSQL that simulates faults: a database that restarts, refuses or hangs.
class Relay {
 public:
  enum class Place { folder, loopback };  ///< a unix socket in a folder of its own, or 127.0.0.1 with a free port

  /// `host`: the folder of the server's socket; empty: the shared server.
  explicit Relay(Place place = Place::folder, const std::string& host = {});
  ~Relay();

  /// The URL of the shared test database through this relay.
  std::string url() const;
  /// Closes all connections without a message, as `kill -9` does.
  void cut();
  /// Accepts no new connections: the socket does not exist.
  void refuse();
  /// Accepts new connections without an answer, and forwards nothing in open ones.
  void hang();
  /// Drops what either side sends in open connections. New ones work.
  void silence();
  /// Ends what it sends to the API in open connections, and drops what the API sends there: as a balancer whose server
  /// has gone. New ones work.
  void half_close();
  /// Ends the fault. What hung goes on.
  void restore();
  int open() const { return open_; }
  int opened() const { return opened_; }
  int silent() const { return silent_; }  ///< of the open ones
  int port() const { return port_; }
  const std::string& folder() const { return folder_.path(); }

 private:
  struct Link;
  using Stream = boost::asio::generic::stream_protocol;

  void listen();
  void accept();
  void on_loop(std::function<void()> action);
  boost::asio::awaitable<void> serve(std::shared_ptr<Link> link);
  boost::asio::awaitable<void> pump(std::shared_ptr<Link> link, Stream::socket& from, Stream::socket& to);

  Folder folder_;
  const Place place_;
  std::string path_;
  std::string target_;
  boost::asio::io_context loop_;
  boost::asio::basic_socket_acceptor<Stream> acceptor_{loop_};
  boost::asio::steady_timer restored_{loop_, boost::asio::steady_timer::time_point::max()};
  std::set<std::shared_ptr<Link>> links_;
  bool hanging_ = false;
  std::atomic<int> open_{0};
  std::atomic<int> opened_{0};
  std::atomic<int> silent_{0};
  int port_ = 0;
  std::thread thread_;
};

}  // namespace api::test
