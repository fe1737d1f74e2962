#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/intrusive/list.hpp>

#include "proxy/net/io.hpp"
#include "proxy/net/listener.hpp"
#include "proxy/text/http_date.hpp"
#include "proxy/tls/server_context.hpp"

namespace spillway::admin {

struct Page {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string_view content_policy = {};  ///< a literal; empty: no Content-Security-Policy
};

/// What of a request a page may depend on.
struct Asked {
  std::string_view accept = {};  ///< the field
};

/// The read-only admin listener. It serves GET and HEAD of a few paths; a function on the control loop makes each page.
/// Connections, head size and time are limited, so that a stuck scraper costs nothing. A new connection beyond the
/// limit replaces the one that has been silent longest: opening connections cannot lock probes and scrapers out.
class Server {
 public:
  using Pages = std::map<std::string, std::function<Page(const Asked&)>, std::less<>>;

  static constexpr int kConnectionsMax = 64;  ///< a few scrapers, probes and people

  /// `loop` must have stopped before the server is destroyed.
  Server(net::asio::io_context& loop, std::vector<net::ListenSocket> sockets, Pages pages);
  ~Server();
  /// At least 1.
  void set_connections_max(int count) { connections_max_ = count; }
  /// For connections from now on; null: plain.
  void set_tls(std::shared_ptr<const tls::ServerContext> tls) { tls_ = std::move(tls); }
  void start();
  /// Closes the listeners, which another process may go on listening on, and every connection.
  void stop();

 private:
  class Connection;
  using Connections = boost::intrusive::list<
      Connection, boost::intrusive::base_hook<boost::intrusive::list_base_hook<boost::intrusive::tag<Server>>>>;

  void accept(net::Socket socket);
  net::Task<> serve(std::unique_ptr<Connection> connection);
  Page answer(std::string_view method, std::string_view target, const Asked& asked) const;

  net::asio::io_context& loop_;
  Pages pages_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  int connections_max_ = kConnectionsMax;
  int count_ = 0;
  std::shared_ptr<const tls::ServerContext> tls_;
  Connections silent_;  ///< have not sent a request yet: the first to be closed for a new one; oldest first
  Connections active_;  ///< ordered by their last request, oldest first
  text::HttpDate date_;
};

}  // namespace spillway::admin
