#pragma once

#include <functional>
#include <string>
#include <vector>

#include <boost/asio/basic_waitable_timer.hpp>

#include "config/substitute.hpp"
#include "proxy/net/clock.hpp"
#include "proxy/net/io.hpp"

namespace spillway {

/// Decides from one look at a file after the other when it has changed for good: while it is being written, or replaced
/// in two steps, it looks different the next time.
class FileChange {
 public:
  explicit FileChange(config::FileText known) : known_(std::move(known)), seen_(known_) {}

  /// True: the file has settled on something else than what is known, which is then known.
  bool look(config::FileText seen);
  void remember(config::FileText known);

 private:
  static constexpr int kLooks = 2;            ///< in a row that must see the same
  static constexpr int kLooksUnreadable = 4;  ///< in a row without a readable file: one that is replaced goes at times

  config::FileText known_, seen_;
  int looks_ = 0;  ///< that have seen `seen_`
};

/// Tells when the content of one of some files has changed, by looking at its bytes four times a second. So it does not
/// matter how: written in place, renamed over, a symlink on the way to it swapped, written under another name (a single
/// file mounted into a container) or from another host. Nor do other files of its folder. The file may go; it is then
/// told once. One change cannot be seen from within: when the host replaces a file that is mounted alone, the container
/// keeps the old one. On the loop's thread only.
class FileWatch {
 public:
  using Changed = std::function<void()>;
  /// Reads all of these files as one text, or as something that stands for it.
  using Read = config::FileText (*)(const std::vector<std::string>& paths);
  FileWatch(net::Executor loop, std::vector<std::string> paths, Changed changed, Read read = contents);
  void start();
  /// Takes the present content for known.
  void remember();
  /// Watches these files instead, from their present content on. False: they are watched already.
  bool follow(std::vector<std::string> paths);

 private:
  static constexpr Duration kInterval = std::chrono::milliseconds(250);

  static config::FileText contents(const std::vector<std::string>& paths);

  std::vector<std::string> paths_;
  Read read_;
  Changed changed_;
  FileChange change_;
  net::asio::basic_waitable_timer<Clock, net::asio::wait_traits<Clock>, net::Executor> timer_;
};

}  // namespace spillway
