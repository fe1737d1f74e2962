#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include <boost/asio.hpp>

#include "api/auth/check_lines.hpp"
#include "api/auth/login_limit.hpp"
#include "api/db/interrupt.hpp"
#include "proxy/net/io.hpp"

namespace api::auth {

/// argon2id with a random salt. For the command line: blocks for some 25 ms. Throws std::bad_alloc.
std::string hash_password(std::string_view password);

enum class Verdict : std::uint8_t {
  match,
  mismatch,
  too_many,     ///< failures before: not checked
  busy,         ///< too many are waiting already
  interrupted,  ///< nobody waits for the answer any more
};

struct Outcome {
  Verdict verdict = Verdict::busy;
  Duration retry_after{};  ///< with too_many
};

/// Checks passwords on threads of its own, at low priority, with bounded lines before them: a storm of logins delays
/// logins and nothing else, and a storm of strangers leaves those who have logged in before every second check. Keeps
/// the limit on failures, which holds exactly with one thread; each further one may check one more at a time.
/// Thread-safe.
class PasswordVerifier {
 public:
  /// In each line at most `queue` checks wait or run beside the threads.
  PasswordVerifier(int threads, int queue, LoginLimit limit);
  ~PasswordVerifier();

  /// What a check would be refused for now: too_many or busy; match if for nothing.
  Outcome foresee(const Login& login);

  /// An empty hash (no such user) takes as long as any other and is a mismatch.
  net::Task<Outcome> verify(net::Executor executor, Login login, std::string hash, std::string password,
                            Interrupt& interrupt);

 private:
  struct Check;
  void make_next();
  Outcome make(Check& check);
  Line line_of(const Login& login, Time now);  // under mutex_

  const std::string decoy_;  ///< hash that is checked when there is none
  std::mutex mutex_;
  CheckLines lines_;  // guarded by mutex_
  LoginLimit limit_;  // guarded by mutex_
  net::asio::thread_pool threads_;
};

}  // namespace api::auth
