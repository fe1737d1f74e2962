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

FileWatch::FileWatch(net::Executor loop, std::vector<std::string> paths, Changed changed, Read read)
    : paths_(std::move(paths)), read_(read), changed_(std::move(changed)), change_(read_(paths_)), timer_(loop) {}

void FileWatch::start() {
  timer_.expires_after(kInterval);
  timer_.async_wait([this](net::error_code error) {
    if (error) return;
    if (change_.look(read_(paths_))) changed_();
    start();
  });
}

void FileWatch::remember() {
  change_.remember(read_(paths_));
}

bool FileWatch::follow(std::vector<std::string> paths) {
  if (paths == paths_) return false;  // a change since they were read is still seen
  paths_ = std::move(paths);
  remember();
  return true;
}

/// All files as one. A NUL, which no file here may hold, keeps the end of one from passing for the beginning of the
/// next.
config::FileText FileWatch::contents(const std::vector<std::string>& paths) {
  config::FileText all;
  for (const std::string& path : paths) {
    const config::FileText each = config::read_bounded(path, config::kMaxFileBytes);
    all.text.append(each.text) += '\0';
    if (!each.error.empty()) all.error.append(path).append(each.error);
  }
  return all;
}

}  // namespace spillway
