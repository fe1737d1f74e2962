#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include <boost/asio.hpp>

#include "api/db/interrupt.hpp"
#include "proxy/net/io.hpp"

namespace api::auth {

/// argon2id with a random salt. For the command line: blocks for some 25 ms. Throws std::bad_alloc.
std::string hash_password(std::string_view password);

enum class Verdict : std::uint8_t {
  match,
  mismatch,
  busy,         ///< too many are waiting already
  interrupted,  ///< nobody waits for the answer any more
};

/// Checks passwords on threads of its own, at low priority, with a bounded queue: a storm of logins delays logins
/// and nothing else. Thread-safe.
class PasswordVerifier {
 public:
  /// At most `queue` checks wait or run at a time beside the threads.
  PasswordVerifier(int threads, int queue);
  ~PasswordVerifier();

  /// A check would be refused now.
  bool busy() const { return pending_.load(std::memory_order_relaxed) >= limit_; }

  /// An empty hash (no such user) takes as long as any other and is a mismatch.
  net::Task<Verdict> verify(net::Executor executor, std::string hash, std::string password, Interrupt& interrupt);

 private:
  const int limit_;
  const std::string decoy_;  ///< hash that is checked when there is none
  std::atomic<int> pending_{0};
  net::asio::thread_pool threads_;
};

}  // namespace api::auth
