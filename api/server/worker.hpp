#pragma once

#include <atomic>
#include <optional>

#include <boost/asio.hpp>

#include "api/endpoints/handlers.hpp"
#include "api/server/config.hpp"
#include "api/server/session.hpp"
#include "proxy/net/io.hpp"

namespace api {

/// One event loop's share of the server: accepts, keeps the sessions, ends them. All on the thread of its context.
class Worker {
 public:
  /// `listener` is shared by the workers and must outlive them; whoever is idle takes the next connection.
  Worker(const ApiConfig& config, Shared& shared, Services& services, net::asio::io_context& context, int home,
         int listener);

  /// Before the thread runs.
  void start();
  /// From any thread. Accepts no more; calls `done` once, from its own thread, when the last session has ended.
  void drain(std::function<void()> done);

 private:
  net::Task<> accept();
  net::Task<> serve(Socket socket);
  net::Task<> sweep();
  void refuse(int descriptor) const;
  void finish_if_empty();

  const ApiConfig& config_;
  Shared& shared_;
  Services& services_;
  net::asio::io_context& context_;
  const int home_;
  Handlers handlers_;
  net::asio::posix::basic_stream_descriptor<net::Executor> listener_;
  net::Timer sweep_timer_;
  text::List<Session> sessions_;
  std::function<void()> done_;
};

}  // namespace api
