#include "api/db/cancel.hpp"

#include <deque>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

namespace api::db {

namespace {

/// If so many threads are blocked, the server is gone, and more would not help.
constexpr int kThreads = 4;
/// Some 200 bytes each.
constexpr std::size_t kWaiting = 256;

struct FreeCancel {
  void operator()(PGcancel* cancel) const { PQfreeCancel(cancel); }
};
using Cancel = std::unique_ptr<PGcancel, FreeCancel>;

struct Requests {
  std::mutex mutex;
  std::deque<Cancel> waiting;
  int threads = 0;
};

/// Never destroyed: a thread may outlive `main`.
Requests& requests() {
  static auto* const instance = new Requests;
  return *instance;
}

void send_all() {
  Requests& all = requests();
  std::unique_lock lock(all.mutex);
  while (!all.waiting.empty()) {
    const Cancel cancel = std::move(all.waiting.front());
    all.waiting.pop_front();
    lock.unlock();
    char message[256];
    PQcancel(cancel.get(), message, sizeof(message));
    lock.lock();
  }
  --all.threads;
}

}  // namespace

bool request_cancel(PGconn* connection) {
  Cancel cancel(PQgetCancel(connection));
  if (!cancel) return false;
  Requests& all = requests();
  std::lock_guard lock(all.mutex);
  if (all.waiting.size() >= kWaiting) return false;
  if (all.threads < kThreads) {
    try {
      std::thread(send_all).detach();
      ++all.threads;
    } catch (const std::system_error&) {
      if (all.threads == 0) return false;
    }
  }
  all.waiting.push_back(std::move(cancel));
  return true;
}

}  // namespace api::db
