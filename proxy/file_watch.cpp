#include "proxy/file_watch.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <boost/asio/buffer.hpp>
#include <sys/inotify.h>

#include "config/document.hpp"
#include "config/substitute.hpp"

namespace spillway {

FileWatch::FileWatch(net::Executor loop, std::string path, Changed changed)
    : path_(std::move(path)), changed_(std::move(changed)), events_(loop), settle_(loop) {
  remember();
}

bool FileWatch::start(std::string& error) {
  const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  const int descriptor = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (descriptor >= 0) events_.assign(descriptor);
  // Not IN_MODIFY: a file that is being written is half a file.
  constexpr unsigned kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE;
  if (descriptor < 0 || ::inotify_add_watch(descriptor, folder.empty() ? "." : folder.c_str(), kEvents) < 0) {
    error = "cannot watch the folder of " + path_ + ": " + std::strerror(errno);
    return false;
  }
  wait();
  return true;
}

void FileWatch::stop() {
  net::error_code ignored;
  events_.close(ignored);
  settle_.cancel();
}

void FileWatch::remember() {
  content_ = config::read_bounded(path_, config::kMaxFileBytes, true).text;
}

void FileWatch::wait() {
  events_.async_read_some(net::asio::buffer(buffer_), [this](net::error_code error, std::size_t) {
    if (error) return;
    settle_.expires_after(kSettle);  // ends the wait before, if there is one
    settle_.async_wait([this](net::error_code cancelled) {
      if (!cancelled) look();
    });
    wait();
  });
}

/// Other files of the folder change, too, and a symlink is swapped without an event for the file: the bytes decide.
void FileWatch::look() {
  config::FileText file = config::read_bounded(path_, config::kMaxFileBytes, true);
  if (!file.error.empty() || file.text == content_) return;
  content_ = std::move(file.text);
  changed_();
}

}  // namespace spillway
