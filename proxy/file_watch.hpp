#pragma once

#include <array>
#include <functional>
#include <string>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "proxy/net/clock.hpp"
#include "proxy/net/io.hpp"

namespace spillway {

/// Tells when the content of a file has changed, by inotify on its folder: editors replace files by renaming, and
/// Kubernetes swaps a symlink beside them. The file itself may be missing for a while. On the loop's thread only.
class FileWatch {
 public:
  using Changed = std::function<void()>;
  /// `path` is the file; `changed` is called a moment after its last change, only when its bytes differ.
  FileWatch(net::Executor loop, std::string path, Changed changed);
  /// False: the folder cannot be watched, `error` says why.
  bool start(std::string& error);
  void stop();
  /// Takes the present content for known.
  void remember();

 private:
  static constexpr Duration kSettle = std::chrono::milliseconds(100);  ///< a write comes as several events

  void wait();
  void look();

  std::string path_;
  Changed changed_;
  std::string content_;
  net::asio::posix::basic_stream_descriptor<net::Executor> events_;
  net::asio::basic_waitable_timer<Clock, net::asio::wait_traits<Clock>, net::Executor> settle_;
  std::array<char, 4096> buffer_{};
};

}  // namespace spillway
