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

/// A new secret for tokens: 32 random bytes in base64.
std::string make_secret();

/// argon2id with a random salt. For the command line: blocks for some 25 ms. Throws std::bad_alloc.
std::string hash_password(std::string_view password);

enum class Verdict : std::uint8_t {
  match,
  mismatch,
  too_many,     ///< not checked, because of earlier failures
  busy,         ///< not checked, because the queue is full
  crowded,      ///< the same of the queue of strangers: clients that have logged in before still get in
  interrupted,  ///< the client has gone
};

struct Outcome {
  Verdict verdict = Verdict::busy;
  Duration retry_after{};     ///< with too_many
  std::string new_hash = {};  ///< with match: the hash to store, if the old one was made with other parameters
};

/// Checks passwords on threads of its own at low priority, with bounded queues: a storm of logins delays other logins
/// but nothing else, and every second check is one of a client that has logged in before. Applies the limit of
/// failures. The limit is exact with one thread; each further thread may exceed it by one check. Thread-safe.
class PasswordVerifier {
 public:
  /// `queue`: how many checks of each queue may wait.
  PasswordVerifier(int threads, int queue, LoginLimit limit);
  ~PasswordVerifier();

  /// Whether a check would be refused now: too_many or busy; `match` if not.
  Outcome foresee(const Login& login);

  /// An empty hash (the user does not exist) is a mismatch, and takes as long as any other.
  net::Task<Outcome> verify(net::Executor executor, Login login, std::string hash, std::string password,
                            Interrupt& interrupt);

 private:
  struct Check;
  void make_next();
  Outcome make(Check& check);
  Line line_of(const Login& login, Time now);  // under mutex_

  const std::string decoy_;  ///< the hash to check when the user does not exist
  std::mutex mutex_;
  CheckLines lines_;  // guarded by mutex_
  LoginLimit limit_;  // guarded by mutex_
  net::asio::thread_pool threads_;
};

}  // namespace api::auth
