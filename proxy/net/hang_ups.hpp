#pragma once

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "proxy/net/io.hpp"

namespace net {

/// Tells that peers have closed or reset their connections. The system reports that in one event with the last bytes,
/// if both have come; whoever reads until there is less than asked for, and then waits, would miss it. An epoll
/// instance of its own, so that data causes no event. One loop's.
class HangUps {
 public:
  class Watched {
   public:
    /// Must not destroy anything that is watched.
    virtual void on_peer_closed() = 0;

   protected:
    ~Watched() = default;
  };

  explicit HangUps(Executor loop);
  HangUps(const HangUps&) = delete;

  /// Until `descriptor`, which is connected, is closed. `watched` must live until then. False: it is not watched.
  bool watch(int descriptor, Watched& watched);
  /// Lets the loop end.
  void stop();

 private:
  void wait();
  void report();

  asio::posix::basic_stream_descriptor<Executor> epoll_;
};

}  // namespace net
