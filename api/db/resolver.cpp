#include "api/db/resolver.hpp"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>

#include <netdb.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/db/wait_until.hpp"

namespace api::db {

namespace {

Resolver::Found look_up(const std::string& name) {
  Resolver::Found found;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int status = ::getaddrinfo(name.c_str(), nullptr, &hints, &list);
  if (status != 0) {
    found.error = ::gai_strerror(status);
    return found;
  }
  for (const addrinfo* each = list; each; each = each->ai_next) {
    char text[NI_MAXHOST];
    if (::getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof(text), nullptr, 0, NI_NUMERICHOST) != 0) continue;
    if (std::find(found.addresses.begin(), found.addresses.end(), text) == found.addresses.end()) {
      found.addresses.emplace_back(text);
    }
  }
  ::freeaddrinfo(list);
  if (found.addresses.empty()) found.error = "no address";
  return found;
}

}  // namespace

/// Shared by its thread and the waiters. The thread uses nothing else, because the resolver may be gone.
struct Resolver::Lookup {
  Lookup() : ready(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Lookup() { ::close(ready); }
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  void finish(Found result) {
    found = std::move(result);
    done.store(true, std::memory_order_release);
    ::eventfd_write(ready, 1);
  }

  const int ready;  ///< readable once it is done, for every waiter
  Found found;      ///< once it is done
  std::atomic<bool> done{false};
};

net::Task<Resolver::Found> Resolver::resolve(const std::string& name, net::Executor executor, Time deadline) {
  const std::shared_ptr<Lookup> lookup = join(name);
  if (!lookup->done.load(std::memory_order_acquire)) {
    const int own = ::dup(lookup->ready);
    if (own >= 0) {
      Descriptor descriptor(executor, own);
      co_await wait_until(descriptor, Descriptor::wait_read, deadline);
    }
  }
  Found found;
  if (lookup->done.load(std::memory_order_acquire)) {
    found = lookup->found;
  } else {
    found.error = "no answer in time";
    found.late = true;
  }
  co_return found;
}

std::shared_ptr<Resolver::Lookup> Resolver::join(const std::string& name) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<Lookup>& lookup = lookups_[name];
  if (lookup && !lookup->done.load(std::memory_order_acquire)) return lookup;
  lookup = std::make_shared<Lookup>();
  try {
    std::thread([lookup, name] { lookup->finish(look_up(name)); }).detach();
  } catch (const std::system_error& error) {
    lookup->finish({{}, error.what(), false});
  }
  return lookup;
}

}  // namespace api::db
