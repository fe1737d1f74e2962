#include "proxy/file_watch.hpp"

#include <utility>

#include "config/document.hpp"

namespace spillway {

namespace {
bool same(const config::FileText& a, const config::FileText& b) {
  return a.error == b.error && a.text == b.text;
}
}  // namespace

bool FileChange::look(config::FileText seen) {
  looks_ = same(seen, seen_) ? looks_ + 1 : 1;
  seen_ = std::move(seen);
  const int needed = seen_.error.empty() ? kLooks : kLooksUnreadable;
  if (looks_ < needed || same(seen_, known_)) return false;
  known_ = seen_;
  return true;
}

void FileChange::remember(config::FileText known) {
  known_ = std::move(known);
}

FileWatch::FileWatch(net::Executor loop, std::string path, Changed changed)
    : path_(std::move(path)), changed_(std::move(changed)), change_(read()), timer_(loop) {}

void FileWatch::start() {
  timer_.expires_after(kInterval);
  timer_.async_wait([this](net::error_code error) {
    if (error) return;
    if (change_.look(read())) changed_();
    start();
  });
}

void FileWatch::remember() {
  change_.remember(read());
}

config::FileText FileWatch::read() const {
  return config::read_bounded(path_, config::kMaxFileBytes, true);
}

}  // namespace spillway
