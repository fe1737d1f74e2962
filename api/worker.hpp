#pragma once

#include <atomic>
#include <optional>

#include "api/config.hpp"
#include "api/executor.hpp"
#include "api/handlers.hpp"
#include "api/session.hpp"

namespace api {

/// One event loop's share of the server: accepts, keeps the sessions, ends them. All on the thread of its context.
class Worker {
 public:
  /// `listener` is shared by the workers and must outlive them; whoever is idle takes the next connection.
  Worker(const ApiConfig& config, Shared& shared, Services& services, asio::io_context& context, int home,
         int listener);

  /// Before the thread runs.
  void start();
  /// From any thread. Accepts no more; calls `done` once, from its own thread, when the last session has ended.
  void drain(std::function<void()> done);

 private:
  Awaitable<> accept();
  Awaitable<> serve(Socket socket);
  Awaitable<> sweep();
  void refuse(int descriptor) const;
  void finish_if_empty();

  const ApiConfig& config_;
  Shared& shared_;
  Services& services_;
  asio::io_context& context_;
  const int home_;
  Handlers handlers_;
  asio::posix::basic_stream_descriptor<Executor> listener_;
  Timer sweep_timer_;
  text::List<Session> sessions_;
  std::function<void()> done_;
};

}  // namespace api
