#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "proxy/net/io.hpp"
#include "proxy/net/listener.hpp"

namespace spillway::admin {

struct Page {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

/// The read-only admin listener: GET and HEAD of a few paths, each made by a function on the control loop.
/// Bounded in connections, head size and time, so that a stuck scraper costs nothing.
class Server {
 public:
  using Pages = std::map<std::string, std::function<Page()>, std::less<>>;

  Server(net::asio::io_context& loop, net::ListenSocket socket, Pages pages);
  void start();
  void stop();

 private:
  net::Task<> serve(net::Socket socket);
  Page answer(std::string_view method, std::string_view target) const;

  net::asio::io_context& loop_;
  Pages pages_;
  net::Listener listener_;
  int connections_ = 0;
};

}  // namespace spillway::admin
